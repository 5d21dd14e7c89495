/** `npm start`: the server and nothing else. */
import { sentenceOf } from './commands/shared/exit-codes';
import { serve } from './server/serve';

serve(process).then(
  () => {
    process.exitCode = 0;
  },
  (error: unknown) => {
    process.stderr.write(`treeline: ${sentenceOf(error)}\n`);
    process.exit(1);
  },
);
