/** What an operator does beside the calls of the wire: passwords, erasing, checking the books, looking after the whole. */
import { X509Certificate, generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { allMethods } from '../../src/server/app';
import { openCredentials } from '../../src/core/auth/credentials';
import { personalAttributes } from '../../src/features/customers/fields';
import { checkCertificate } from '../../src/commands/doctor';
import { operatorMethods } from '../../src/commands/operator-methods';
import { readConfig } from '../../src/base/config';
import {
  type Caller,
  type TestServer,
  makeMember,
  newCustomer,
  startServer,
  uniqueName,
} from '../setup/server';
import { type Place, placeOn, runWords } from './command';

const secret_key = Buffer.alloc(32, 7);
let server: TestServer;
let place: Place;
beforeAll(async () => {
  server = await startServer({}, { secret_key });
  place = await placeOn(server.connection, secret_key);
});
afterAll(async () => {
  await server.close();
  await place.close();
});

const answers = async (caller: Caller): Promise<boolean> =>
  caller.call('listCustomers', { limit: 1 }).then(
    () => true,
    () => false,
  );

test('none of an operator’s methods is on the wire', async () => {
  const onTheWire = allMethods(() => {
    throw new Error('Nothing is called');
  }).map(({ name }) => name);
  expect(operatorMethods.map(({ name }) => name).filter((name) => onTheWire.includes(name))).toEqual([]);
  for (const { name } of operatorMethods) {
    expect(await server.root.fault(name, {})).toMatchObject({ faultCode: -32601 });
  }
});

describe('set-web-password', () => {
  test('sets the password of any login, root’s too, and unlocks it', async () => {
    const login = (password: string) => server.root.call('authCustomer', { username: 'root', password });
    for (let tries = 0; tries < 10; tries += 1)
      await server.root.fault('authCustomer', { username: 'root', password: 'wrong' });
    expect(await server.root.fault('authCustomer', { username: 'root', password: 'wrong' })).toMatchObject({
      faultCode: 429,
    });
    const said = await place.run(['set-web-password', 'ROOT', '--stdin'], { stdin: 'new-web-password\n' });
    expect(said).toEqual({ code: 0, out: 'The web password is set\n', err: '' });
    expect(await login('new-web-password')).toMatchObject({ i_customer: 1 });
    const [record] = await place.query(
      `SELECT caller, action, changes FROM audit_records WHERE method = 'setWebPassword'`,
    );
    expect(record).toEqual({
      caller: 'operator',
      action: 'U',
      changes: { web_password: ['changed', 'changed'] },
    });
  });

  test('is refused where the policy is not satisfied, and for logins that are none', async () => {
    const member = await makeMember(server, server.root, {
      i_password_policy: 2,
      web_password: 'Correct-horse-1',
    });
    const weak = await place.run(['set-web-password', member.name, '--stdin'], {
      stdin: 'only-lower-case\n',
    });
    expect(weak).toMatchObject({ code: 1, err: expect.stringContaining('(password policy)') });
    const nobody = await place.run(['set-web-password', 'nobody', '--stdin'], { stdin: 'long-enough-1\n' });
    expect(nobody).toEqual({ code: 1, out: '', err: 'treeline: Login not found\n' });
    expect(await place.run(['set-web-password', 'root'])).toMatchObject({ code: 2 });
  });
});

describe('set-api-password', () => {
  const set = (login: string, password: string, ...words: string[]) =>
    place.run(['set-api-password', login, '--stdin', ...words], { stdin: `${password}\n` });

  test('replaces the old one at once', async () => {
    const member = await makeMember(server);
    expect(await set(member.name, 'second-password')).toMatchObject({ code: 0, err: '' });
    expect(await answers(member.as)).toBe(false);
    expect(await answers(server.as(member.name, 'second-password'))).toBe(true);
  });

  test('leaves the old one alive for a time, and no longer', async () => {
    const member = await makeMember(server);
    const said = await set(member.name, 'second-password', '--keep-old', '0.5');
    expect(said.out).toBe('The API password is set; the one before works for 0.5 more hours\n');
    expect(await answers(member.as)).toBe(true);
    expect(await answers(server.as(member.name, 'second-password'))).toBe(true);
    expect(await answers(server.as(member.name, 'third-password'))).toBe(false);
    const [row] = await place.query(
      `SELECT count(*)::int AS rows, round(extract(epoch FROM max(expires_at) - now()) / 60)::int AS minutes
       FROM api_credentials WHERE i_customer = $1`,
      [member.i_customer],
    );
    expect(row).toEqual({ rows: 2, minutes: 30 });
    await place.query(
      `UPDATE api_credentials SET expires_at = now() - interval '1 second' WHERE i_customer = $1 AND expires_at IS NOT NULL`,
      [member.i_customer],
    );
    expect(await answers(member.as)).toBe(false);
    await set(member.name, 'third-password', '--keep-old', '1');
    expect(await answers(server.as(member.name, 'second-password'))).toBe(true);
    const rows = await place.query('SELECT 1 FROM api_credentials WHERE i_customer = $1', [
      member.i_customer,
    ]);
    expect(rows).toHaveLength(2);
  });

  test('says that its use is not allowed, where it is not', async () => {
    const { i_customer } = await server.root.call('createCustomer', newCustomer({ name: 'without access' }));
    const said = await set('without access', 'api-password-9');
    expect(said).toMatchObject({
      code: 0,
      err: expect.stringContaining(`update ${String(i_customer)} --api-access 1`),
    });
  });

  test('is for the login of a customer itself, and takes what Digest can carry', async () => {
    const member = await makeMember(server);
    const web_login = uniqueName('user');
    await member.as.call('createWebUser', { web_login, web_password: 'correct-horse-1' });
    expect(await set(web_login, 'api-password-9')).toMatchObject({
      code: 1,
      err: expect.stringContaining('Only the login of a customer itself'),
    });
    expect(await set(member.name, 'pässword-1')).toMatchObject({
      code: 1,
      err: 'treeline: Parameter api_password must be printable ASCII\n',
    });
    expect(await set(member.name, 'api-password-9', '--keep-old', 'long')).toMatchObject({
      code: 1,
      err: expect.stringContaining('keep_old_hours'),
    });
    expect(await answers(member.as)).toBe(true);
  });
});

describe('erase', () => {
  const personal: Record<string, string> = {
    name: 'Per Sonal',
    web_login: 'per.sonal',
    email: 'per@sonal.example',
    cc: 'per@sonal.example',
    bcc: 'per@sonal.example',
    mail_from: 'per@sonal.example',
    dns_alias: 'per.sonal.example',
  };
  for (const name of personalAttributes) personal[name] ??= `personal ${name}`;

  test('makes a deleted customer unknown, also in the records; its books stay', async () => {
    const member = await makeMember(server, server.root, { ...personal, balance: 10 });
    const { i_customer } = member;
    await member.as.call('createWebUser', {
      web_login: 'per.user',
      web_password: 'correct-horse-1',
      name: 'Per User',
      email: 'user@sonal.example',
    });
    // Its events hold what it is called; without a key they stay where they are.
    await place.query('UPDATE customers SET webhook_uri = $2 WHERE i_customer = $1', [
      i_customer,
      'https://per.sonal.example/',
    ]);
    await server.root.call('updateCustomer', { i_customer, first_name: 'personal again', credit_limit: 5 });
    expect(await place.query('SELECT FROM webhook_events WHERE i_customer = $1', [i_customer])).toHaveLength(
      1,
    );
    await member.as.fault('authCustomer', { username: 'per.sonal', password: 'wrong-password' });

    expect(await place.run(['erase', String(i_customer), '--yes'])).toMatchObject({
      code: 1,
      err: 'treeline: The customer is not deleted: delete it first\n',
    });
    await server.root.call('deleteCustomer', { i_customer });
    expect(await place.run(['erase', String(i_customer)])).toMatchObject({ code: 2 });
    expect(await place.run(['erase', 'per sonal', '--yes'])).toEqual({
      code: 0,
      out: `Erased: i_customer ${i_customer}\n`,
      err: '',
    });

    const everything = JSON.stringify([
      await place.query('SELECT * FROM customers WHERE i_customer = $1', [i_customer]),
      await place.query('SELECT * FROM users WHERE i_customer = $1', [i_customer]),
      await place.query('SELECT * FROM audit_records'),
      await place.query('SELECT * FROM webhook_events'),
    ]);
    expect(everything).not.toMatch(/per.?sonal|per.user/i);
    const [row] = await place.query('SELECT name FROM customers WHERE i_customer = $1', [i_customer]);
    expect(row).toEqual({ name: `erased-${i_customer}` });
    const [limit] = await place.query(
      `SELECT changes -> 'credit_limit' AS credit_limit FROM audit_records WHERE i_customer = $1 AND changes ? 'credit_limit' AND method = 'updateCustomer'`,
      [i_customer],
    );
    expect(limit).toEqual({ credit_limit: ['0', '5'] });
    expect(await place.query('SELECT 1 FROM entries WHERE i_customer = $1', [i_customer])).toHaveLength(2);
    expect(await place.run(['verify-books'])).toMatchObject({ code: 0 });
    expect(await place.run(['erase', String(i_customer), '--yes'])).toMatchObject({ code: 0 });
  });

  test('asks which one, where several deleted ones had the name', async () => {
    for (let times = 0; times < 2; times += 1) {
      const { i_customer } = await server.root.call('createCustomer', newCustomer({ name: 'twice' }));
      await server.root.call('deleteCustomer', { i_customer });
    }
    expect(await place.run(['erase', 'twice', '--yes'])).toMatchObject({
      code: 1,
      err: expect.stringMatching(/by its id: \d+, \d+\n$/),
    });
    expect(await place.run(['erase', 'never there', '--yes'])).toMatchObject({ code: 1 });
    expect(await place.run(['erase', '1', '--yes'])).toMatchObject({
      code: 1,
      err: expect.stringContaining('is not deleted'),
    });
  });
});

describe('verify-books', () => {
  test('is content with books that are right', async () => {
    await makeMember(server, server.root, { balance: 10 });
    expect(await place.run(['verify-books'])).toMatchObject({
      code: 0,
      out: expect.stringMatching(/^The books are right: \d+ /),
    });
    expect(await place.json('verify-books')).toEqual([]);
  });

  test('names the accounts that are wrong, and ends with 1', async () => {
    const member = await makeMember(server, server.root, { balance: 10 });
    await place.query('UPDATE customers SET balance = balance + 0.000001 WHERE i_customer = $1', [
      member.i_customer,
    ]);
    const said = await place.run(['verify-books']);
    expect(said).toEqual({
      code: 1,
      out: `Account ${member.i_customer} (${member.name}): the balance is 10.000001 USD, and its entries sum to 10\n`,
      err: 'treeline: The books are wrong in 1 places\n',
    });
    const json = await place.run(['verify-books', '--json']);
    expect({ code: json.code, found: JSON.parse(json.out) }).toMatchObject({
      code: 1,
      found: [{ i_customer: member.i_customer }],
    });
    expect(await place.run(['doctor'])).toMatchObject({
      code: 1,
      out: expect.stringMatching(/^✗ books: .*USD/m),
    });
    await place.query('UPDATE customers SET balance = balance - 0.000001 WHERE i_customer = $1', [
      member.i_customer,
    ]);
  });

  test('finds prepaid parts that no entry explains, and transfers that a level above was not charged for', async () => {
    const owner = await makeMember(server, server.root, { balance: 10 });
    const giver = await makeMember(server, owner.as, { balance: 10 });
    const { i_customer } = await makeMember(server, giver.as);
    const { i_payment } = await giver.as.call('transferFunds', { i_customer, amount: 3 });
    const forget = (change: string) =>
      place.query(
        `UPDATE entries SET ${change} WHERE i_payment = ${String(i_payment)} AND i_customer = ${owner.i_customer}`,
      );
    await place.query('ALTER TABLE entries DISABLE TRIGGER ALL');
    await place.query('UPDATE customers SET prepaid = 1 WHERE i_customer = $1', [owner.i_customer]);
    await forget('amount = -2');
    const { code, out } = await place.run(['verify-books']);
    expect(code).toBe(1);
    expect(out).toContain('its prepaid part is 1 USD, and its entries sum to 0');
    expect(out).toContain(
      `Payment ${String(i_payment)} of account ${i_customer}: it is a transfer that was not charged at every level above its giver`,
    );
    await forget('amount = -3');
    await place.query('UPDATE customers SET prepaid = 0 WHERE i_customer = $1', [owner.i_customer]);
    await place.query('ALTER TABLE entries ENABLE TRIGGER ALL');
    expect(await place.run(['verify-books'])).toMatchObject({ code: 0 });
  });

  test('finds entries that do not sum to zero, and payments entered with another amount', async () => {
    const { i_customer } = await makeMember(server, server.root, { balance: 10 });
    // What no statement could do, somebody who owns the database can.
    await place.query('ALTER TABLE entries DISABLE TRIGGER ALL');
    await place.query('UPDATE entries SET amount = 11 WHERE i_customer = $1', [i_customer]);
    const said = await place.run(['verify-books']);
    expect(said.code).toBe(1);
    expect(said.out.split('\n')).toEqual([
      expect.stringMatching(
        new RegExp(`^Account ${i_customer} .*the balance is 10 USD, and its entries sum to 11$`),
      ),
      expect.stringMatching(
        new RegExp(
          `^Account ${i_customer} .*: 1 of its entries have another balance or time than they must$`,
        ),
      ),
      expect.stringMatching(
        new RegExp(`^Payment \\d+ of account ${i_customer}: its entries sum to 1 and not to zero$`),
      ),
      expect.stringMatching(
        new RegExp(`^Payment \\d+ of account ${i_customer}: it is of 10 USD, and was entered with 11$`),
      ),
      'All entries in USD sum to 1 and not to zero',
      '',
    ]);
    await place.query('UPDATE entries SET amount = 10 WHERE i_customer = $1', [i_customer]);
    await place.query('ALTER TABLE entries ENABLE TRIGGER ALL');
    expect(await place.run(['verify-books'])).toMatchObject({ code: 0 });
  });
});

describe('doctor', () => {
  const folder = mkdtempSync(join(tmpdir(), 'treeline-doctor-'));
  afterAll(() => {
    rmSync(folder, { recursive: true, force: true });
  });
  const env = { DATA_DIR: folder };
  const stateOf = (found: { check: string; state: string; text: string }[], check: string) =>
    found.find((finding) => finding.check === check);

  test('finds everything in order', async () => {
    const said = await place.run(['doctor'], { env });
    expect(said.err).toBe('');
    expect(said.code).toBe(0);
    const lines = said.out.trimEnd().split('\n');
    expect(lines.map((line) => /^[✓!] ([a-z ]+):/.exec(line)?.[1])).toEqual([
      ...[
        'settings',
        'disk',
        'certificate',
        'database',
        'clocks',
        'schema',
        'secret key',
        'trusted hosts',
        'books',
      ],
    ]);
    const found = JSON.parse((await place.run(['doctor', '--json'], { env })).out);
    expect(stateOf(found, 'database')).toMatchObject({
      state: 'ok',
      text: expect.stringContaining('version'),
    });
    expect(JSON.stringify(found)).not.toContain(secret_key.toString('base64'));
  });

  const doctor = async (more: Record<string, string>) => {
    const said = await place.run(['doctor', '--json'], { env: { ...env, ...more } });
    return { code: said.code, found: JSON.parse(said.out) };
  };

  test('finds settings that cannot be read, and looks no further', async () => {
    const { code, found } = await doctor({ TREELINE_POOL_SIZE: 'many' });
    expect({ code, found }).toMatchObject({
      code: 1,
      found: [{ check: 'settings', state: 'error', text: expect.stringContaining('TREELINE_POOL_SIZE') }],
    });
  });

  test('finds a database that does not answer, and one that is not there yet', async () => {
    const away = await doctor({ DATABASE_URL: 'postgresql://x:hidden@127.0.0.1:1/x' });
    expect(away.code).toBe(1);
    expect(stateOf(away.found, 'database')).toMatchObject({
      state: 'error',
      text: expect.stringContaining('127.0.0.1:1'),
    });
    expect(JSON.stringify(away.found)).not.toContain('hidden');
    const none = await runWords(['doctor'], { env });
    expect(none).toMatchObject({ code: 0, out: expect.stringMatching(/^! database: there is none yet/m) });
  });

  test('finds a SECRET_KEY that is another', async () => {
    const { code, found } = await doctor({ SECRET_KEY: Buffer.alloc(32, 8).toString('base64') });
    expect(code).toBe(1);
    expect(stateOf(found, 'secret key')).toMatchObject({ state: 'error' });
    const kept = await place.query(`SELECT value FROM server_settings WHERE name = 'secret_check'`);
    expect(kept).toEqual([{ value: openCredentials(secret_key).check_value }]);
  });

  test('finds trusted hosts that are too wide, in the settings and in the table', async () => {
    for (const TRUSTED_HOSTS of ['0.0.0.0/0', '10.0.0.0/7', '2001::/31']) {
      const refused = await place.run(['doctor'], { env: { TRUSTED_HOSTS } });
      expect(refused.code).toBe(1);
      expect(refused.out + refused.err).toContain('--yes-everybody');
    }
    const wide = ['trusted-hosts', 'add', '10.0.0.0/7'];
    expect((await place.run(wide)).err).toContain('--yes-everybody');
    expect(await place.run([...wide, '--yes-everybody'])).toMatchObject({ code: 0 });
    expect(stateOf((await doctor({})).found, 'trusted hosts')).toMatchObject({ state: 'warning' });
    await place.run(['trusted-hosts', 'remove', '10.0.0.0/7']);
    await place.run(['trusted-hosts', 'add', '::/0', '--yes-everybody']);
    expect(stateOf((await doctor({})).found, 'trusted hosts')).toMatchObject({ state: 'error' });
    await place.run(['trusted-hosts', 'remove', '::/0']);
  });

  test('tells of a schema that is behind or ahead', async () => {
    const [newest] = await place.query('SELECT max(name) AS name FROM knex_migrations');
    const name = String(newest?.['name']);
    await place.query(`UPDATE knex_migrations SET name = '999_of_tomorrow' WHERE name = $1`, [name]);
    const { code, found } = await doctor({});
    expect(code).toBe(1);
    expect(stateOf(found, 'schema')).toMatchObject({
      state: 'error',
      text: expect.stringContaining('999_of_tomorrow'),
    });
    expect(await place.run(['customers', 'list'])).toMatchObject({
      code: 1,
      err: expect.stringContaining('newer version'),
    });
    await place.query(`DELETE FROM knex_migrations WHERE name = '999_of_tomorrow'`);
    expect(stateOf((await doctor({})).found, 'schema')).toMatchObject({ state: 'warning' });
    await place.query('INSERT INTO knex_migrations (name, batch, migration_time) VALUES ($1, 1, now())', [
      name,
    ]);
    expect((await doctor({})).code).toBe(0);
  });

  describe('looks at the certificate', () => {
    const fixture = (name: string): string => join(__dirname, '../../fixtures/tls', name);
    const files = { TLS_CERT: fixture('cert.pem'), TLS_KEY: fixture('key.pem') };
    const validTo = new Date(new X509Certificate(readFileSync(files.TLS_CERT)).validTo).getTime();
    const daysBefore = (days: number) => new Date(validTo - days * 24 * 3_600_000);

    test('which is there, has its key, and is valid', async () => {
      expect(stateOf((await doctor(files)).found, 'certificate')).toMatchObject({ state: 'ok' });
      const nowhere = await doctor({ TLS_CERT: '/nonexistent.crt', TLS_KEY: '/nonexistent.key' });
      expect(stateOf(nowhere.found, 'certificate')).toMatchObject({
        state: 'error',
        text: expect.stringContaining('/nonexistent.crt'),
      });
      const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
      const TLS_KEY = join(folder, 'other.pem');
      writeFileSync(TLS_KEY, privateKey.export({ type: 'pkcs8', format: 'pem' }));
      expect(stateOf((await doctor({ ...files, TLS_KEY })).found, 'certificate')).toMatchObject({
        state: 'error',
        text: expect.stringContaining('is not the key of'),
      });
    });

    test.each([
      [31.5, 'ok', 'it is valid for 31 more days'],
      [29.5, 'warning', 'it is valid for 29 more days'],
      [-1, 'error', /^it expired on /],
      [100_000, 'error', /^it is not valid before /],
    ])('%p days before it expires', (days, state, text) => {
      const answer = checkCertificate(readConfig(files), daysBefore(days));
      expect(answer).toEqual([state, typeof text === 'string' ? text : expect.stringMatching(text)]);
    });

    test('which need not be there on an address that only this machine reaches', () => {
      expect(checkCertificate(readConfig({}), new Date())[0]).toBe('ok');
      expect(checkCertificate(readConfig({ HOST: '0.0.0.0' }), new Date())[0]).toBe('warning');
    });
  });
});
