/**
 * Parses the body of an XML-RPC call into a method name and values. saxes checks that the body is well-formed XML;
 * `call-reader.ts` checks the grammar of XML-RPC.
 *
 * Nothing recurses, and text is joined once and read once, so the time is linear in the length of the body. Parsing
 * runs in steps, between which other requests run.
 */
import { SaxesParser } from 'saxes';
import { Fault } from '../../base/faults';
import type { ValueLimits } from '../http/limits';
import { isBlank } from './blanks';
import { CallReader, type XmlRpcCall } from './call-reader';
import { Source, faultOfSaxes, notWellFormed } from './source';

/** Characters per step. Parsing may pause after each step. */
const charactersPerStep = 8_192;

/** Characters between two calls of `joinCollected`. */
const charactersPerJoin = 4 * charactersPerStep;

/** Parses a call in steps and returns it. Throws fault -32700 or -32600. */
export function* parseCall(body: string, limits: ValueLimits): Generator<undefined, XmlRpcCall> {
  // Only a decoder with a bug yields half a surrogate pair. saxes would read the next character as the other half.
  if (!(body as WellFormedString).isWellFormed()) {
    throw new Fault('not_well_formed', 'The body holds half a surrogate pair');
  }
  const text = body.includes('\r') ? yield* normalizeLineEnds(body) : body;
  if (isBlank(text)) throw new Fault('not_well_formed', 'The body is empty');

  // XML 1.0 requires that 1.x is read as 1.0. With `position`, saxes would put positions in front of its messages.
  const parser = new SaxesParser({ position: false, forceXMLVersion: true, defaultXMLVersion: '1.0' });
  const source = (): Source => new Source(text, parser.position);
  const reader = new CallReader(limits, source);
  listen(parser, reader, source);
  for (let start = 0; start < text.length; start += charactersPerStep) {
    parser.write(text.slice(start, start + charactersPerStep));
    if (start % charactersPerJoin === 0) joinCollected(parser);
    yield;
  }
  parser.close();
  return reader.result();
}

/** Normalizes line ends as XML requires. saxes would create a string for each line end. */
function* normalizeLineEnds(body: string): Generator<undefined, string> {
  let text = '';
  for (let start = 0; start < body.length;) {
    let end = start + charactersPerStep;
    if (body.charAt(end - 1) === '\r' && body.charAt(end) === '\n') end += 1;
    text += body.slice(start, end).split('\r\n').join('\n').split('\r').join('\n');
    start = end;
    yield;
  }
  return text;
}

/**
 * Makes V8 flatten the texts that saxes appends to. V8 keeps a node for each append until the text is read. Without
 * this, the garbage collector would need 30 ms for a million nodes.
 */
function joinCollected(parser: SaxesParser): void {
  const { text, piTarget } = parser as unknown as { text: string; piTarget: string };
  for (const collected of [text, piTarget]) {
    if (collected.length >= charactersPerStep) collected.charCodeAt(collected.length - 1);
  }
}

/** Passes the events of saxes to the reader. */
function listen(parser: SaxesParser, reader: CallReader, source: () => Source): void {
  parser.on('error', (error) => {
    throw faultOfSaxes(error.message.replace(/\.$/, ''), source());
  });
  parser.on('doctype', () => {
    throw notWellFormed('a document type (DOCTYPE) is not accepted', source().lastRead());
  });
  parser.on('attribute', () => {
    reader.countAttribute();
  });
  parser.on('opentag', (tag) => {
    reader.open(tag.name);
  });
  parser.on('text', (chunk) => {
    reader.addText(chunk);
  });
  parser.on('cdata', (chunk) => {
    reader.addText(chunk);
  });
  parser.on('closetag', () => {
    reader.close();
  });
}

/** Node 20 has `isWellFormed`; the ES2023 types of TypeScript do not. */
type WellFormedString = string & { isWellFormed(): boolean };
