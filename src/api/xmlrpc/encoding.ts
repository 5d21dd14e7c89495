/**
 * The bytes of a body, turned into text: a byte order mark decides first, then the shape of UTF-16,
 * then the XML declaration, then UTF-8. A byte that does not fit its encoding is a fault and never a
 * replacement character: a name that was garbled here would be stored garbled.
 */
import { isAscii, isUtf8 } from 'node:buffer';
import { TextDecoder } from 'node:util';

import { Fault } from '../../base/faults';

/** XML declarations are some fifty bytes long; a longer one than this is no declaration of a caller's. */
const declaration_max_bytes = 1024;

const declaredEncoding =
  /^<\?xml[ \t\r\n]+version[ \t\r\n]*=[ \t\r\n]*(?:"[^"]*"|'[^']*')[ \t\r\n]+encoding[ \t\r\n]*=[ \t\r\n]*(?:"([^"]*)"|'([^']*)')/;

/**
 * Labels that say ASCII. TextDecoder reads them as windows-1252, but Perl's RPC::XML says `us-ascii`
 * and sends UTF-8; ASCII itself is UTF-8 too, so UTF-8 is the reading that garbles neither.
 */
const asciiLabels = new Set(['us-ascii', 'ascii', 'ansi_x3.4-1968']);

/** Bytes 80 to 9F of windows-1252. Node's own decoder reads them as ISO-8859-1 in several releases. */
const windows1252 =
  '\u20ac\u0081\u201a\u0192\u201e\u2026\u2020\u2021\u02c6\u2030\u0160\u2039\u0152\u008d\u017d\u008f' +
  '\u0090\u2018\u2019\u201c\u201d\u2022\u2013\u2014\u02dc\u2122\u0161\u203a\u0153\u009d\u017e\u0178';

/** What ICU makes of bytes that these encodings do not define, instead of reporting them. */
const undefinedBytes: ReadonlyMap<string, RegExp> = new Map([
  ['big5', /[\u0080-\u009f]/],
  ['euc-jp', /[\u0080-\u009f]/],
  ['euc-kr', /[\u0080-\u009f]/],
  ['windows-874', /[\uf8c1-\uf8c8]/],
]);

/** So many bytes are decoded between two places where the decoding may pause. */
const bytesPerStep = 32_768;

/** The decoding of a body, in steps; the generator returns the text. */
type Decoding = Generator<undefined, string>;

/** Bytes to text: BOM, then the XML declaration, then UTF-8; every label that TextDecoder knows; fatal. */
export function decodeText(body: Uint8Array): Decoding {
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  const [first, second, third] = bytes;
  if (first === 0xef && second === 0xbb && third === 0xbf) return decodeUtf8(bytes.subarray(3), 3);
  if (first === 0xff && second === 0xfe) return decodeWith('utf-16le', bytes.subarray(2));
  if (first === 0xfe && second === 0xff) return decodeWith('utf-16be', bytes.subarray(2));
  if (first === 0x3c && second === 0x00) return decodeWith('utf-16le', bytes);
  if (first === 0x00 && second === 0x3c) return decodeWith('utf-16be', bytes);
  const label = declaredLabel(bytes);
  return label === undefined ? decodeUtf8(bytes) : decodeDeclared(label, bytes);
}

/** The encoding that the XML declaration names, in lower case. It is readable before it is known: all of them hold ASCII. */
function declaredLabel(bytes: Buffer): string | undefined {
  const head = bytes.toString('latin1', 0, declaration_max_bytes);
  if (!/^<\?xml[ \t\r\n]/.test(head)) return undefined;
  const end = head.indexOf('?>');
  if (end === -1) throw new Fault('not_well_formed', 'The XML declaration does not end');
  const found = declaredEncoding.exec(head.slice(0, end));
  return (found?.[1] ?? found?.[2])?.trim().toLowerCase();
}

function decodeDeclared(label: string, bytes: Buffer): Decoding {
  if (label === 'utf-8' || asciiLabels.has(label)) return decodeUtf8(bytes);
  const decoder = decoderFor(label);
  // A declaration that could be read byte by byte is not in UTF-16, whatever it says: .NET's string
  // writers say so of text that is then sent as UTF-8. HTML decides the same way.
  if (decoder.encoding === 'utf-8' || decoder.encoding.startsWith('utf-16')) return decodeUtf8(bytes);
  if (decoder.encoding === 'windows-1252') return decodeWindows1252(bytes);
  return decodeWith(decoder.encoding, bytes, decoder);
}

function decoderFor(label: string): TextDecoder {
  try {
    return new TextDecoder(label, { fatal: true, ignoreBOM: true });
  } catch {
    throw new Fault('not_well_formed', `The encoding "${label.slice(0, 40)}" is unknown`);
  }
}

function* decodeWith(encoding: string, bytes: Buffer, decoder = decoderFor(encoding)): Decoding {
  const invalid = undefinedBytes.get(encoding);
  let text = '';
  for (const [part, isLast] of partsOf(bytes)) {
    const decoded = tryDecode(decoder, part, !isLast);
    // ICU lets some bytes pass.
    if (decoded === undefined || invalid?.test(decoded) === true)
      throw new Fault('not_well_formed', `The body is not valid ${encoding}`);
    text += decoded;
    yield;
  }
  return text;
}

function tryDecode(decoder: TextDecoder, bytes: Buffer, stream: boolean): string | undefined {
  try {
    return decoder.decode(bytes, { stream });
  } catch {
    return undefined;
  }
}

/** The body in parts, each with whether it is the last one; an empty body is one empty part. */
function* partsOf(bytes: Buffer): Generator<readonly [Buffer, boolean], void> {
  let start = 0;
  do {
    const end = start + bytesPerStep;
    yield [bytes.subarray(start, end), end >= bytes.length];
    start = end;
  } while (start < bytes.length);
}

/**
 * Nearly every body is plain ASCII, and telling so is ten times cheaper than decoding it as UTF-8. `skipped`: how many
 * bytes stand before these.
 */
function* decodeUtf8(bytes: Buffer, skipped = 0): Decoding {
  if (isAscii(bytes)) return bytes.toString('latin1');
  if (!isUtf8(bytes)) {
    throw new Fault(
      'not_well_formed',
      `The body is not valid utf-8, from its byte ${skipped + firstBadByte(bytes)} on; another encoding must be declared`,
    );
  }
  if (bytes.length <= bytesPerStep) return bytes.toString('utf8');
  return yield* decodeWith('utf-8', bytes);
}

const isContinuation = (byte: number | undefined): boolean => byte !== undefined && (byte & 0xc0) === 0x80;

/** Counts from 1. The text with replacement characters differs from the body where the first of them stands. */
function firstBadByte(bytes: Buffer): number {
  for (let start = 0; start < bytes.length;) {
    let end = Math.min(start + bytesPerStep, bytes.length);
    // A part does not end within a character, which has at most three bytes after its first.
    for (let back = 0; back < 3 && isContinuation(bytes[end]); back += 1) end -= 1;
    const part = bytes.subarray(start, end);
    if (!isUtf8(part)) {
      const again = Buffer.from(part.toString('utf8'));
      const index = part.findIndex((byte, at) => byte !== again[at]);
      // A body that ends within a replacement character's own bytes (EF BF BD) differs nowhere.
      return index === -1 ? end : start + index + 1;
    }
    start = end;
  }
  return bytes.length;
}

/** The UTF-16 unit of each byte. */
const windows1252Units: readonly number[] = Array.from({ length: 256 }, (_, byte) =>
  byte >= 0x80 && byte < 0xa0 ? windows1252.charCodeAt(byte - 0x80) : byte,
);

function* decodeWindows1252(bytes: Buffer): Decoding {
  let text = '';
  for (const [part] of partsOf(bytes)) {
    const units = Buffer.alloc(2 * part.length);
    for (const [index, byte] of part.entries()) units.writeUInt16LE(windows1252Units[byte] ?? 0, 2 * index);
    text += units.toString('utf16le');
    yield;
  }
  return text;
}
