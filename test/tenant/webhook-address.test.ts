/** Which addresses a webhook may go to: every special range is refused, also inside an IPv6 address. */
import { asRanges } from '../../src/base/config';
import { Fault } from '../../src/base/faults';
import { assertPublic } from '../../src/api/tenant/webhooks/webhook-client';
import { isAllowed } from '../../src/api/tenant/webhooks/address';

test.each(['8.8.8.8', '1.1.1.1', '2600::1', '2a00:1450:4001::1', '::ffff:8.8.8.8'])(
  '%s is public',
  (address) => {
    expect(isAllowed(address, [])).toBe(true);
  },
);

test.each([
  // Private, local, shared, reserved.
  ...[
    '0.0.0.0',
    '0.1.2.3',
    '10.1.2.3',
    '100.64.0.1',
    '127.0.0.1',
    '127.255.255.254',
    '169.254.1.1',
    '172.16.0.1',
  ],
  ...['172.31.255.255', '192.0.0.8', '192.0.2.1', '192.88.99.1', '192.168.0.1', '198.18.0.1', '198.51.100.1'],
  ...['203.0.113.1', '224.0.0.1', '240.0.0.1', '255.255.255.255'],
  ...['::', '::1', 'fe80::1', 'fec0::1', 'fc00::1', 'fd00::1', 'ff02::1', '100::1', '2001:db8::1', '3fff::1'],
  ...['2001:2::1', '2001:10::1', '4000::1', '5f00::1', 'e000::1'],
  // IPv4 inside IPv6.
  ...['::a00:1', '::10.0.0.1', '::8.8.8.8', '::ffff:127.0.0.1', '::ffff:a00:1', '::ffff:0:a00:1'],
  ...['64:ff9b::7f00:1', '64:ff9b::808:808', '64:ff9b:1::a00:1', '2002:7f00:1::', '2002:808:808::'],
  ...['2001:0:808:808::f5ff:fffe', '2600::5efe:a00:1', '2600::200:5efe:7f00:1'],
  // Metadata of clouds.
  ...['169.254.169.254', '169.254.170.2', '100.100.100.200', '192.0.0.192', '168.63.129.16', 'fd00:ec2::254'],
  ...['fd20:ce::254', 'fe80::a9fe:a9fe', '2600::5efe:a9fe:a9fe'],
  // No addresses.
  ...['nonsense', '', '10.1', '0x7f.0.0.1', 'fe80::1%eth0', '1.2.3.4.5'],
])('%s is not', (address) => {
  expect(isAllowed(address, [])).toBe(false);
});

test('a range allows what is in it, but a metadata address only by itself, and a gateway only what it leads to', () => {
  const isIn = (address: string, ranges: string): boolean => isAllowed(address, asRanges(ranges));
  expect(isIn('10.1.2.3', '10.0.0.0/8')).toBe(true);
  expect(isIn('::ffff:10.1.2.3', '10.0.0.0/8')).toBe(true);
  expect(isIn('192.168.0.1', '10.0.0.0/8')).toBe(false);
  expect(isIn('169.254.169.254', '169.254.0.0/16')).toBe(false);
  expect(isIn('169.254.169.254', '0.0.0.0/0')).toBe(false);
  expect(isIn('169.254.169.254', '169.254.169.254')).toBe(true);
  expect(isIn('168.63.129.16', '168.63.0.0/16')).toBe(false);
  expect(isIn('fd00:ec2::254', 'fd00::/8')).toBe(false);
  expect(isIn('fd00:ec2::254', 'fd00:ec2::254')).toBe(true);
  expect(isIn('64:ff9b::808:808', '64:ff9b::/96')).toBe(true);
  expect(isIn('64:ff9b::a00:1', '64:ff9b::/96')).toBe(false);
  expect(isIn('64:ff9b::a9fe:a9fe', '64:ff9b::/96, 169.254.0.0/16')).toBe(false);
  expect(isIn('64:ff9b::a00:1', '64:ff9b::/96, 10.0.0.0/8')).toBe(true);
});

describe('setting a webhook_uri', () => {
  const check = (uri: string, ...addresses: string[]) =>
    assertPublic(uri, [], () => Promise.resolve(addresses));
  const refusal = expect.objectContaining({
    kind: 'bad_parameter',
    about: { field: 'webhook_uri' },
  }) as Fault;

  test('asks DNS for the name: one private address among several is enough to refuse', async () => {
    await check('https://hook.example/', '8.8.8.8', '2600::1');
    await expect(check('https://hook.example/', '8.8.8.8', '10.0.0.1')).rejects.toEqual(refusal);
    await expect(check('https://hook.example/', '::a00:1')).rejects.toEqual(refusal);
    for (const host of ['localhost', 'a.localhost', 'localhost.', '127.1', '[::a00:1]'])
      await expect(check(`http://${host}/`)).rejects.toEqual(refusal);
  });

  test('takes a name without an address, and waits for no DNS server for long', async () => {
    await check('https://not-yet.example/');
    await assertPublic('https://broken.example/', [], () => Promise.reject(new Error('SERVFAIL')));
    const began = performance.now();
    await assertPublic('https://slow.example/', [], () => new Promise(() => undefined));
    expect(performance.now() - began).toBeLessThan(5_000);
  });
});
