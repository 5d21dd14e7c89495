/**
 * Sends an answer that is written in pieces. A short one, or one of a single batch of rows, goes out whole, with its
 * length. A long one goes out as it is read. Both let other requests run between their parts.
 */
import { Readable } from 'node:stream';
import { pauseInSlices } from '../../core/fairness/event-loop';

/** A shorter answer goes out whole. Parts of a longer one have about this length, in UTF-16 units. */
const partLength = 65_536;

/**
 * Returns the body to send: whole where it is bounded, else whole or as a stream, by its length. An error of reading
 * ends a stream before its end, also where it came with the first part.
 */
export async function bodyOf(
  written: string | AsyncIterable<string>,
  isBounded: boolean,
): Promise<string | Buffer | Readable> {
  if (typeof written === 'string') return written;
  const parts = inParts(written);
  if (isBounded) return wholeOf(parts);
  const first = await next(parts);
  if ('failure' in first) return failing(first.failure);
  if (first.done === true) return '';
  if (first.value.isLast) return first.value.text;
  return Readable.from(bytesOf(first.value, parts), { objectMode: false });
}

async function wholeOf(parts: AsyncIterable<Part>): Promise<Buffer> {
  const bytes: Buffer[] = [];
  for await (const { text } of parts) bytes.push(Buffer.from(text));
  return Buffer.concat(bytes);
}

interface Part {
  readonly text: string;
  readonly isLast: boolean;
}

const next = (parts: AsyncGenerator<Part, void>) => parts.next().catch((failure: unknown) => ({ failure }));

const failing = (failure: unknown): Readable =>
  new Readable({
    read() {
      this.destroy(failure instanceof Error ? failure : new Error(String(failure)));
    },
  });

async function* bytesOf(first: Part, rest: AsyncIterable<Part>): AsyncGenerator<Buffer, void> {
  // As bytes: Node would encode a text once to know its length, and once more to send it.
  yield Buffer.from(first.text);
  for await (const { text } of rest) yield Buffer.from(text);
}

async function* inParts(pieces: AsyncIterable<string>): AsyncGenerator<Part, void> {
  let text = '';
  const pause = pauseInSlices();
  for await (const piece of pieces) {
    text += piece;
    if (text.length >= partLength) {
      yield { text, isLast: false };
      text = '';
    }
    await pause();
  }
  yield { text, isLast: true };
}
