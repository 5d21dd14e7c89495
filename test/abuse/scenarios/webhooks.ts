/** An attack on the delivery of events: receivers that take a connection and never answer. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { startReceiver } from '../../setup/receiver';
import { openHttp, tenantRequest } from '../http';
import { scenario } from '../scenario';
import { tokenOf } from '../stage';
import { makeCustomer, resellerRights } from '../world';

/** An event of the victim must arrive within this time. */
const patience_ms = 5_000;
const every_ms = 1_000;

const slowReceivers = scenario<{ token: string }>({
  name: 'slow-receivers',
  attack_is:
    'The 40 customers of a reseller have receivers of webhooks that never answer, and change all the time',
  settings: { TREELINE_WEBHOOK_RANGES: '127.0.0.0/8' },
  least_s: 12,
  prepare: async (stage) => {
    const customer = await makeCustomer(stage, 'attacker', resellerRights);
    return { token: await tokenOf(stage.http, customer.web) };
  },
  beside: async (stage, { token }) => {
    const receiver = await startReceiver();
    const http = openHttp(stage.url);
    await http.send(tenantRequest(token, 'PUT', '/customer', { webhook_uri: receiver.uri }));
    const changed_at = new Map<string, number>();
    const delays_ms = new Map<string, number>();
    let serial = 0;
    const look = (): void => {
      for (const { data } of receiver.taken.splice(0)) {
        const began = changed_at.get(String(data['detail']));
        if (began !== undefined) delays_ms.set(String(data['detail']), performance.now() - began);
      }
    };
    const looking = setInterval(look, 20);
    const changing = setInterval(() => {
      const detail = `change ${(serial += 1)}`;
      changed_at.set(detail, performance.now());
      http.send(tenantRequest(token, 'PUT', '/customer', { detail })).catch(() => changed_at.delete(detail));
    }, every_ms);
    return {
      finish: async () => {
        clearInterval(changing);
        const until = performance.now() + patience_ms;
        while (delays_ms.size < changed_at.size && performance.now() < until)
          await new Promise((resolve) => setTimeout(resolve, 50));
        clearInterval(looking);
        await http.send(tenantRequest(token, 'PUT', '/customer', { webhook_uri: '' }));
        http.close();
        await receiver.close();
        const late = [...delays_ms.values()].filter((delay) => delay > patience_ms).length;
        const lost = changed_at.size - delays_ms.size;
        return late + lost === 0
          ? []
          : [
              `Of ${changed_at.size} events of the victim ${lost} did not arrive and ${late} took more than ${patience_ms / 1_000} s`,
            ];
      },
    };
  },
  attack: async (hands, { token }) => {
    let asked = 0;
    const slow = createServer(() => {
      asked += 1;
    });
    slow.listen(0, hands.address);
    await new Promise((resolve) => slow.once('listening', resolve));
    const { port } = slow.address() as AddressInfo;
    const ids: string[] = [];
    for (let index = 0; index < 40; index += 1) {
      const made = await hands.send(
        tenantRequest(token, 'POST', '/customers', {
          name: `slow ${index}`,
          webhook_uri: `http://${hands.address}:${port}/${index}`,
        }),
      );
      const { id } = JSON.parse(made?.text ?? '{}') as { id?: string };
      if (id !== undefined) ids.push(id);
    }
    let serial = 0;
    await hands.flood(4, async () => {
      const id = ids[(serial += 1) % Math.max(1, ids.length)] ?? '';
      const answer = await hands.send(
        tenantRequest(token, 'PUT', `/customers/${id}`, { detail: `turn ${serial}` }),
      );
      await hands.sleep(20);
      return answer;
    });
    hands.count('deliveries that nobody answers', asked);
    slow.closeAllConnections();
    slow.close();
  },
});

export const webhookScenarios = [slowReceivers];
