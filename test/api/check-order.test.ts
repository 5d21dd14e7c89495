/**
 * In which order a call is checked: what costs little first, then the right, then what costs much. And what an expression
 * may cost.
 */
import { costOfExpression, expressionCost_max } from '../../src/core/schema/expression-cost';
import { updateFault } from '../setup/family';
import { type Member, type TestServer, makeMember, newCustomer, startServer } from '../setup/server';

let server: TestServer;
let member: Member;
let powerless: Member;
beforeAll(async () => {
  server = await startServer();
  member = await makeMember(server);
  powerless = await makeMember(server, server.root, { customers_mgmt: 0 });
});
afterAll(() => server.close());

const wrong = {
  accounts_matching_rule: '(',
  email: 'nobody',
  cc: 'nobody@,',
  bcc: 'a@b..c',
};

test.each(Object.entries(wrong))(
  'a wrong %s is told only to those who have the right',
  async (field, value) => {
    const params = newCustomer({ i_tariff: null, [field]: value });
    expect(await powerless.as.fault('createCustomer', params)).toMatchObject({ faultCode: 403 });
    expect(await member.as.fault('createCustomer', params)).toEqual({
      faultCode: 400,
      faultString: expect.stringMatching(`^Parameter ${field} must be`) as string,
    });
  },
);

test('what is too long, of a wrong type, missing or unknown is told before the right is looked at', async () => {
  const nameless = newCustomer({ i_tariff: null });
  Reflect.deleteProperty(nameless, 'name');
  for (const [params, field] of [
    [newCustomer({ accounts_matching_rule: 'x'.repeat(1_025) }), 'accounts_matching_rule'],
    [newCustomer({ email: true }), 'email'],
    [nameless, 'name'],
    [newCustomer({ unknown: 1 }), 'unknown'],
  ] as const)
    expect(await powerless.as.fault('createCustomer', params)).toMatchObject({
      faultCode: 400,
      faultString: expect.stringContaining(`Parameter ${field} `) as string,
    });
});

test('a format never sees a value that is over its length, also where the field before it is wrong', async () => {
  const params = newCustomer({ max_depth: -1, accounts_matching_rule: '(a'.repeat(400_000), email: '(' });
  expect(await member.as.fault('createCustomer', params)).toMatchObject({ faultCode: 400 });
  const { faultString } = await updateFault(member.as, { i_customer: 1 }, { cc: 'a@b,'.repeat(200_000) });
  expect(faultString).toBe('Parameter cc must have at most 255 characters');
});

test('root alone hears that an address range is none', async () => {
  expect(await member.as.fault('addTrustedHost', { address: 'nowhere' })).toMatchObject({ faultCode: 403 });
  expect(await server.root.fault('addTrustedHost', { address: 'nowhere' })).toEqual({
    faultCode: 400,
    faultString: 'Parameter address must be an address or a CIDR range',
  });
});

describe('an expression', () => {
  test.each<[string, string]>([
    ['that repeats repetitions', '(x{100}){100}'],
    ['of many repetitions', 'x{1000}'.repeat(146)],
    ['of optional repetitions', '(a{0,30}){0,40}'],
    ['of many Unicode classes', '\\p{L}'.repeat(11)],
    ['of many Unicode classes in one class', `[${'\\pL'.repeat(11)}]`],
    ['of a repeated Unicode class', '\\PL{11}'],
    ['of a repeated group with a name', '(?P<n>ab){400}'],
    ['of a repeated quotation of a class', '[a\\]b]{2000}'],
  ])('%s is refused before it is compiled', async (_what, accounts_matching_rule) => {
    expect(costOfExpression(accounts_matching_rule)).toBeGreaterThan(expressionCost_max);
    const fault = await member.as.fault(
      'createCustomer',
      newCustomer({ i_tariff: null, accounts_matching_rule }),
    );
    expect(fault).toEqual({
      faultCode: 400,
      faultString: `Parameter accounts_matching_rule repeats too much: compiled, it may have at most ${expressionCost_max} instructions`,
    });
  });

  test.each([
    '^(\\+?44|0)7\\d{9}$|^00[1-9]\\d{6,14}$',
    'x'.repeat(1_024),
    'x{1000}',
    '[[:alpha:]]{3,5}(a|b)*[^\\]x]?',
    '\\Q(a{1000}){1000}\\E',
    '{,5}{a}',
    '\\p{Greek}+\\d{1,400}',
  ])('such as %s is taken', async (accounts_matching_rule) => {
    const params = newCustomer({ i_tariff: null, accounts_matching_rule });
    expect(await member.as.call('createCustomer', params)).toMatchObject({ result: 'OK' });
  });
});
