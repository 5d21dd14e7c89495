import { type TestServer, newCustomer, startServer } from '../setup/server';

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.close());

test('a customer that was created can be read, changed, listed and deleted', async () => {
  const params = newCustomer({ balance: 100.5, description: 'first' });
  const created = await server.root.call('createCustomer', params);
  expect(created['result']).toBe('OK');
  const { i_customer } = created;

  const { customer } = await server.root.call('getCustomerInfo', { i_customer });
  expect(customer).toMatchObject({ i_customer, name: params['name'], balance: 100.5, description: 'first' });
  expect(customer).not.toHaveProperty('web_password');

  await server.root.call('updateCustomer', { i_customer, description: 'second' });
  const { customers } = await server.root.call('listCustomers');
  expect(customers).toContainEqual(
    expect.objectContaining({ i_customer, description: 'second', balance: 100.5 }),
  );

  await server.root.call('deleteCustomer', { i_customer });
  expect(await server.root.fault('getCustomerInfo', { i_customer })).toEqual({
    faultCode: 404,
    faultString: 'Customer not found',
  });
});
