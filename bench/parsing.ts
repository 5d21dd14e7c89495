/** Reading a createCustomer with 40 members, from bytes to values, again and again in a process that does nothing else. */
import { decodeText } from '../src/faces/xmlrpc/encoding';
import { parseCall } from '../src/faces/xmlrpc/parse';
import { serveTasks } from './processes';
import { type Population, createCustomerBody } from './requests';

export interface ParsingTask {
  readonly population: Population;
  readonly seconds: number;
}

const limits = { nesting: 32, members: 1_000 };
const between_clock_readings = 100;

serveTasks(measure);

/** Answers milliseconds a body. */
function measure({ population, seconds }: ParsingTask): Promise<number> {
  const body = Buffer.from(createCustomerBody('customer', population));
  const began = performance.now();
  let elapsed_ms = 0;
  let bodies = 0;
  while (elapsed_ms < seconds * 1_000) {
    for (let count = 0; count < between_clock_readings; count += 1) parseCall(decodeText(body), limits);
    bodies += between_clock_readings;
    elapsed_ms = performance.now() - began;
  }
  return Promise.resolve(elapsed_ms / bodies);
}
