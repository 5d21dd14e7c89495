/** `npm start`: the server and nothing else. */
import { sentenceOf } from './commands/failures';
import { serve } from './serve';

serve(process).then(
  () => {
    process.exitCode = 0;
  },
  (error: unknown) => {
    process.stderr.write(`treeline: ${sentenceOf(error)}\n`);
    process.exit(1);
  },
);
