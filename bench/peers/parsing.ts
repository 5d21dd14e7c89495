/** Reading a createCustomer with all its members, from bytes to values, again and again in a process that does nothing else. */
import { runInSteps } from '../../src/core/fairness/event-loop';
import { decodeText } from '../../src/api/xmlrpc/encoding';
import { parseCall } from '../../src/api/xmlrpc/parse';
import { type Population, methodCall, newMembers } from '../calls';
import type { Load } from '../load';
import { serveTasks } from '../processes';

export interface ParsingTask {
  readonly population: Population;
  readonly seconds: number;
}

const limits = { nesting: 32, members: 1_000, values: 50_000 };
const between_clock_readings = 100;

serveTasks(measure);

const parse = (body: Buffer): unknown =>
  runInSteps(
    (function* () {
      return yield* parseCall(yield* decodeText(body), limits);
    })(),
  );

function measure({ population, seconds }: ParsingTask): Promise<Load> {
  const body = Buffer.from(methodCall('createCustomer', newMembers('customer', population)));
  const began = performance.now();
  let elapsed_ms = 0;
  let bodies = 0;
  while (elapsed_ms < seconds * 1_000) {
    for (let count = 0; count < between_clock_readings; count += 1) parse(body);
    bodies += between_clock_readings;
    elapsed_ms = performance.now() - began;
  }
  const median_ms = elapsed_ms / bodies;
  return Promise.resolve({
    calls_per_s: 1_000 / median_ms,
    median_ms,
    p99_ms: median_ms,
    wrong: 0,
    firstWrong: '',
    stale: 0,
  });
}
