/**
 * Reads an XML-RPC answer as strictly as it must be written: well-formed UTF-8, and of each type
 * the one form that Treeline promises. Whatever deviates throws, so each test that reads an answer
 * tests the writing too.
 */
import { SaxesParser } from 'saxes';

export type Read =
  | { readonly result: unknown; readonly fault?: undefined }
  | { readonly fault: { readonly faultCode: number; readonly faultString: string } };

interface Element {
  readonly name: string;
  readonly children: Element[];
  /** The text that stands in it directly. */
  text: string;
}

export function readAnswer(body: Uint8Array): Read {
  const root = parseXml(new TextDecoder('utf-8', { fatal: true }).decode(body));
  const [first] = childrenOf(root, 'methodResponse', 1);
  if (first?.name === 'fault') {
    const [value] = childrenOf(first, 'fault', 1);
    const fault = readValue(value) as { faultCode: number; faultString: string };
    if (
      Object.keys(fault).join() !== 'faultCode,faultString' ||
      !Number.isInteger(fault.faultCode) ||
      typeof fault.faultString !== 'string'
    ) {
      throw new Error(`Not a fault: ${JSON.stringify(fault)}`);
    }
    return { fault };
  }
  const [param] = childrenOf(first, 'params', 1);
  const [value] = childrenOf(param, 'param', 1);
  return { result: readValue(value) };
}

function parseXml(text: string): Element {
  const document: Element = { name: '', children: [], text: '' };
  const open = [document];
  const parser = new SaxesParser({ position: true });
  parser.on('error', (error) => {
    throw error;
  });
  parser.on('opentag', ({ name, attributes }) => {
    if (Object.keys(attributes).length > 0) throw new Error(`<${name}> has attributes`);
    const element: Element = { name, children: [], text: '' };
    open.at(-1)?.children.push(element);
    open.push(element);
  });
  parser.on('text', (chunk) => {
    const top = open.at(-1);
    if (top) top.text += chunk;
  });
  parser.on('closetag', () => open.pop());
  for (const event of ['cdata', 'comment', 'doctype'] as const) {
    parser.on(event, () => {
      throw new Error(`There is a ${event} in the answer`);
    });
  }
  parser.write(text).close();
  const [root] = document.children;
  if (!root) throw new Error('There is no root element');
  return root;
}

/** The children of an element of this name that must have so many of them and no text. */
function childrenOf(element: Element | undefined, name: string, count?: number): readonly Element[] {
  if (element?.name !== name) throw new Error(`Expected <${name}>, found <${element?.name ?? 'nothing'}>`);
  if (element.text !== '') throw new Error(`There is text in <${name}>: ${JSON.stringify(element.text)}`);
  if (count !== undefined && element.children.length !== count) {
    throw new Error(`<${name}> has ${element.children.length} children, not ${count}`);
  }
  return element.children;
}

function readValue(value: Element | undefined): unknown {
  const [typed] = childrenOf(value, 'value', 1);
  if (!typed) throw new Error('unreachable');
  switch (typed.name) {
    case 'int':
      return Number(textOf(typed, /^(0|-?[1-9]\d*)$/));
    case 'i8': {
      const text = textOf(typed, /^-?[1-9]\d*$/);
      if (Math.abs(Number(text)) <= 2_147_483_647) throw new Error(`${text} fits in an int`);
      return Number(text);
    }
    case 'boolean':
      return textOf(typed, /^[01]$/) === '1';
    case 'double':
      return Number(textOf(typed, /^-?(0|[1-9]\d*)\.\d+$/));
    case 'string':
      return textOf(typed, /^[^]*$/);
    case 'nil':
      textOf(typed, /^$/);
      return null;
    case 'array': {
      const [data] = childrenOf(typed, 'array', 1);
      return childrenOf(data, 'data').map(readValue);
    }
    case 'struct':
      return readStruct(typed);
    default:
      throw new Error(`There is no type <${typed.name}>`);
  }
}

function readStruct(struct: Element): Record<string, unknown> {
  const members = childrenOf(struct, 'struct').map((member) => {
    const [name, value] = childrenOf(member, 'member', 2);
    if (name?.name !== 'name' || name.children.length > 0) throw new Error('A member has no name');
    return [name.text, readValue(value)] as const;
  });
  const read = Object.fromEntries(members);
  if (Object.keys(read).length !== members.length) throw new Error('A struct has a member twice');
  return read;
}

function textOf({ name, children, text }: Element, form: RegExp): string {
  if (children.length > 0) throw new Error(`<${name}> has children`);
  if (!form.test(text)) throw new Error(`<${name}> holds ${JSON.stringify(text)}`);
  return text;
}
