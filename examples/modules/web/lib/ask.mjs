// Asks the web server on a port whether it is well. Arguments: the port. Exit status 1 if it does not answer as it should.
import { get } from 'node:http';

const PATIENCE_MS = 5_000;
const port = Number(process.argv[2]);

function end(status, text) {
  console.log(text);
  process.exit(status);
}

get({ host: '127.0.0.1', port, path: '/healthz', timeout: PATIENCE_MS }, (response) => {
  if (response.statusCode === 200) end(0, `it answers on port ${port}`);
  end(1, `it answers on port ${port} with status ${response.statusCode}`);
})
  .on('timeout', () => end(1, `it does not answer on port ${port} within ${PATIENCE_MS / 1_000} seconds`))
  .on('error', (error) => end(1, `it does not answer on port ${port}: ${error.message}`));
