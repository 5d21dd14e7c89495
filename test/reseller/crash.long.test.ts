/** A server that is killed in the middle of transfers: repeated under their keys, each happens once. */
import { randomBytes } from 'node:crypto';
import { connectionString, killPrograms, start, until } from '../setup/processes';
import { messageOf, resellerAs, resultOf, rootIdentity } from '../setup/reseller';
import { makeDatabase, rootPassword, rootWebPassword } from '../setup/server';

afterAll(killPrograms);

test('Idempotency-Key holds over kill -9: what was on its way happens once', async () => {
  const env = {
    DATABASE_URL: connectionString(await makeDatabase()),
    SECRET_KEY: randomBytes(32).toString('base64'),
    ROOT_API_PASSWORD: rootPassword,
    ROOT_WEB_PASSWORD: rootWebPassword,
    PORT: '0',
  };
  const launch = async () => {
    const program = start(process.execPath, ['--import', 'tsx', 'src/main.ts'], { env });
    const [, url = ''] = await until('the server', () =>
      /^Treeline listens on (\S+)\/xmlapi\/xmlapi/m.exec(program.out()),
    );
    return { program, call: resellerAs({ url }, rootIdentity) };
  };
  const first = await launch();
  const { uuid } = await resultOf(
    first.call('POST', '/account/reseller', { name: 'one', contact_name: 'One' }),
  );
  const path = `/account/reseller/${String(uuid)}`;
  const transfer = (call: typeof first.call, n: number) =>
    call('PUT', path, { balance: '0.01' }, { 'idempotency-key': `transfer ${n}` });
  const calls = 400;
  let answered = 0;
  const underway = Array.from({ length: calls }, async (_, n) => {
    const said = await transfer(first.call, n).catch(() => undefined);
    if (said?.status !== 200) return;
    answered += 1;
    // At once, before the others are answered, too.
    if (answered === 20) process.kill(first.program.pid, 'SIGKILL');
  });
  await Promise.all(underway);
  await first.program.ended;
  expect(answered).toBeLessThan(calls);

  const second = await launch();
  const again = await Promise.all(Array.from({ length: calls }, (_, n) => transfer(second.call, n)));
  expect(again.filter(({ status }) => status !== 200).map(messageOf)).toEqual([]);
  expect(await resultOf(second.call('GET', path))).toMatchObject({ balance: calls / 100 });
  process.kill(second.program.pid, 'SIGTERM');
  await second.program.ended;
}, 60_000);
