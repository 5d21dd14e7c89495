/** The figures of several workers behind one port: whichever is asked answers those of all of them together. */
import cluster from 'node:cluster';
import { AggregatorRegistry, type Registry } from 'prom-client';

const question = 'treeline:metrics';
interface Message {
  readonly type?: string;
  readonly text?: string;
}

/** For the process that started the workers: only that one can ask them all. */
export function answerMetrics(): void {
  const aggregator = new AggregatorRegistry();
  cluster.on('message', (worker, { type }: Message) => {
    if (type !== question) return;
    const answer = (text: string): void => {
      worker.send({ type: question, text });
    };
    aggregator.clusterMetrics().then(answer, (error: unknown) => {
      answer(`# ${String(error)}\n`);
    });
  });
}

/** The text for Prometheus: of this process, or of all where it is a worker. */
export function metricsText(registry: Registry): () => Promise<string> {
  const { worker } = cluster;
  if (!worker) return () => registry.metrics();
  AggregatorRegistry.setRegistries([registry]);
  // Made for the sake of its listener, by which this worker tells its own.
  new AggregatorRegistry();
  const waiting: ((text: string) => void)[] = [];
  worker.on('message', ({ type, text }: Message) => {
    if (type === question) waiting.shift()?.(text ?? '');
  });
  return () =>
    new Promise((resolve) => {
      waiting.push(resolve);
      worker.send({ type: question });
    });
}
