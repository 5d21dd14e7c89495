/** Calls as bytes, for what the npm client cannot send or would hide: exact types there and back. */
import type { FaultAnswer, TestServer } from './server';
import { rootPassword } from './server';

export interface RawAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

export const rootAuth = `root:${rootPassword}`;

/** Posts a body with Basic (`login:password`), or with the Authorization header that begins with a scheme. */
export async function rawCall(url: string, auth: string | undefined, bodyXml: string): Promise<RawAnswer> {
  const authorization = auth?.startsWith('Digest ')
    ? auth
    : `Basic ${Buffer.from(auth ?? '').toString('base64')}`;
  const response = await fetch(`${url}/xmlapi/xmlapi`, {
    method: 'POST',
    headers: { 'content-type': 'text/xml', ...(auth !== undefined && { authorization }) },
    body: bodyXml,
  });
  return { status: response.status, headers: response.headers, text: await response.text() };
}

/** Members of a struct as XML, each value with its type tag: `{ name: '<string>x</string>' }`. */
export type XmlMembers = Readonly<Record<string, string>>;

export const xmlStruct = (members: XmlMembers): string =>
  `<struct>${Object.entries(members)
    .map(([name, value]) => `<member><name>${name}</name><value>${value}</value></member>`)
    .join('')}</struct>`;

/** A call with each of `params`, values with their type tags. */
export const xmlCall = (method: string, ...params: readonly string[]): string =>
  `<?xml version="1.0"?><methodCall><methodName>${method}</methodName><params>` +
  `${params.map((param) => `<param><value>${param}</value></param>`).join('')}</params></methodCall>`;

export const xmlText = (text: string): string =>
  `<string>${text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')}</string>`;

/** The value of the first member of this name, with its type tag as it stands in the answer. */
export const memberOf = (text: string, name: string): string | undefined =>
  new RegExp(`<name>${name}</name><value>(.*?)</value></member>`, 's').exec(text)?.[1];

/** The fault of an answer; undefined if it is none. */
export function faultOf(text: string): FaultAnswer | undefined {
  if (!text.includes('<methodResponse><fault>')) return undefined;
  const [code, words] = [memberOf(text, 'faultCode'), memberOf(text, 'faultString')];
  return {
    faultCode: Number(code?.replace(/<\/?int>/g, '')),
    faultString: words?.replace(/^<string>|<\/string>$/g, '') ?? '',
  };
}

/** Root's call with one struct, given and answered as XML. */
export async function callXml(server: TestServer, method: string, members: XmlMembers): Promise<string> {
  const { text } = await rawCall(server.url, rootAuth, xmlCall(method, xmlStruct(members)));
  return text;
}

/** The same, where it must succeed. */
export async function callXmlOk(server: TestServer, method: string, members: XmlMembers): Promise<string> {
  const text = await callXml(server, method, members);
  const fault = faultOf(text);
  if (fault) throw new Error(`${method} answered fault ${fault.faultCode}: ${fault.faultString}`);
  return text;
}

/** The same, where it must answer a fault: its number and text, such as `400 Parameter name is required`. */
export async function callXmlFault(server: TestServer, method: string, members: XmlMembers): Promise<string> {
  const text = await callXml(server, method, members);
  const fault = faultOf(text);
  if (!fault) throw new Error(`${method} of ${JSON.stringify(members).slice(0, 500)} answered no fault`);
  return `${fault.faultCode} ${fault.faultString}`;
}

/** The least that createCustomer takes, as XML. */
export const newCustomerXml = (name: string, members: XmlMembers = {}): XmlMembers => ({
  i_tariff: '<int>1</int>',
  name: xmlText(name),
  web_password: '<string>Correct-horse-1</string>',
  ...members,
});
