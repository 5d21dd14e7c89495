/** The requests of `fixtures/calls`, as real callers send them, replayed byte by byte over a bare socket. */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { basic, exchangeRaw, headerOf } from '../setup/raw-http';
import { readAnswer } from '../setup/read-answer';
import { type TestServer, rootPassword, startServer } from '../setup/server';

interface Recorded {
  readonly caller: string;
  readonly head: readonly string[];
  readonly body?: readonly string[];
  readonly body_base64?: string;
  readonly anonymous?: boolean;
  readonly expect: {
    readonly status?: number;
    readonly result?: object;
    readonly fault?: { readonly faultCode: number; readonly faultString: string };
  };
  readonly customer?: { readonly name: string };
}

const folder = join(__dirname, '../../fixtures/calls');
const files = readdirSync(folder).filter((name) => name.endsWith('.json'));

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.close());

test.each(files)('%s is answered as recorded', async (file) => {
  const recorded = JSON.parse(readFileSync(join(folder, file), 'utf8')) as Recorded;
  const answer = await exchangeRaw(server.url, bytesOf(recorded));

  const { status = 200, result, fault } = recorded.expect;
  expect(answer?.status).toBe(status);
  if (!answer || status !== 200) return;
  expect(headerOf(answer, 'content-type')).toBe('text/xml; charset=utf-8');
  const read = readAnswer(answer.body);
  if (fault) {
    expect(read).toEqual({
      fault: {
        faultCode: fault.faultCode,
        faultString: expect.stringContaining(fault.faultString) as string,
      },
    });
  } else {
    expect(read).toMatchObject({ result });
  }
  if (recorded.customer) {
    const { customer } = await server.root.call('getCustomerInfo', { name: recorded.customer.name });
    expect(customer).toMatchObject(recorded.customer);
  }
});

test('there is a recorded call for each way in which customers call', () => {
  const callers = files.map((file) => file.replace(/-.*|\.json$/, ''));
  expect(callers).toEqual(expect.arrayContaining(['curl', 'java', 'npm', 'perl', 'php', 'python']));
});

function bytesOf(recorded: Recorded): Buffer {
  const body =
    recorded.body_base64 === undefined
      ? Buffer.from((recorded.body ?? []).join(''))
      : Buffer.from(recorded.body_base64, 'base64');
  const credentials = recorded.anonymous ? [] : [basic('root', rootPassword)];
  return Buffer.concat([Buffer.from([...recorded.head, ...credentials, '', ''].join('\r\n')), body]);
}
