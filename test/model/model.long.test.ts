/**
 * Random histories against the reference model of this folder: whoever calls whatever for whomever
 * in a random tree, over all faces, the server answers what docs/reference says, down to each value.
 * `npm run model -- --help` tells how to run more of them, or one of them again.
 */
import { tenantBase } from '../../src/api/tenant/routes';
import { resellerOperations } from '../../src/api/reseller/operations';
import { tenantOperations } from '../../src/api/tenant/operations/operations';
import { methods } from '../setup/docs';
import { laws, operationLaws } from './rules';
import { runHistories } from './run';
import { modelledMethods, modelledOperations } from './steps';

/** The same ones each time, so that a change is judged by itself; `npm run model` plays others. */
const seed = 15276365;

test('100 histories of 50 calls end as the model says, and after 6 with 40 calls at once everything holds that must', async () => {
  console.log(`model: seed ${seed}`);
  const answers = new Map<string, number>();
  await runHistories({
    histories: 100,
    concurrent: 6,
    calls: 50,
    seed,
    onHistory: (_done, counted) => {
      for (const [key, count] of counted) answers.set(key, count);
    },
  });
  // A history that is refused everywhere would prove little.
  const neverSucceeded = [...modelledMethods, ...modelledOperations].filter(
    (name) => !answers.has(`${name} OK`),
  );
  expect(neverSucceeded.length).toBeLessThanOrEqual(15);
  const faults = new Set([...answers.keys()].map((key) => key.split(' ').at(-1)));
  expect([...faults]).toEqual(expect.arrayContaining(['400', '401', '402', '403', '404', '409', '-32601']));
}, 360_000);

test('the model knows every method of the registry', () => {
  const names = methods.map(({ name }) => name).filter((name) => !name.startsWith('system.'));
  expect([...modelledMethods].sort()).toEqual(names.sort());
  expect(Object.keys(laws).sort()).toEqual(names.sort());
});

test('the model knows every operation of both REST faces', () => {
  const names = [
    ...resellerOperations.map(({ method }) => method.name),
    ...tenantOperations.map(({ verb, path }) => `${verb} ${tenantBase}${path}`),
  ];
  const modelled = modelledOperations.filter((name) => !name.includes(' /auth/'));
  expect([...modelled].sort()).toEqual(names.sort());
  expect(Object.keys(operationLaws).sort()).toEqual(names.sort());
});
