/** Every attack, in the order in which they run. */
import type { AnyScenario } from '../scenario';
import { browserScenarios } from './browser';
import { creditScenarios } from './credit';
import { eventLoopScenarios } from './event-loop';
import { growthScenarios } from './growth';
import { guessingScenarios } from './guessing';
import { memoryScenarios } from './memory';
import { poolScenarios } from './pool';
import { rightsScenarios } from './rights';
import { smallScenarios } from './small';
import { socketScenarios } from './sockets';
import { webhookScenarios } from './webhooks';

export const scenarios: readonly AnyScenario[] = [
  ...memoryScenarios,
  ...eventLoopScenarios,
  ...poolScenarios,
  ...creditScenarios,
  ...browserScenarios,
  ...rightsScenarios,
  ...webhookScenarios,
  ...growthScenarios,
  ...guessingScenarios,
  ...socketScenarios,
  ...smallScenarios,
];

export function scenarioByName(name: string): AnyScenario {
  const found = scenarios.find((each) => each.name === name);
  if (!found)
    throw new Error(
      `There is no scenario ${name}; there are ${scenarios.map((each) => each.name).join(', ')}`,
    );
  return found;
}
