import { readFileSync } from 'node:fs';
import http from 'node:http';

// The page, and the way from it to the services behind: the browser sees one address.
const page = readFileSync(new URL('./index.html', import.meta.url));
const behind = [
  { method: 'GET', path: /^\/posts$/, to: process.env.QUERY_URL ?? 'http://query:4002' },
  { method: 'POST', path: /^\/posts$/, to: process.env.POSTS_URL ?? 'http://posts:4000' },
  { method: 'POST', path: /^\/posts\/[^/]+\/comments$/, to: process.env.COMMENTS_URL ?? 'http://comments:4001' },
];

const server = http.createServer((request, response) => {
  const path = new URL(request.url, 'http://localhost').pathname;
  if (path === '/healthz') return response.end('ok');
  if (path === '/') return response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end(page);
  const route = behind.find((r) => r.method === request.method && r.path.test(path));
  if (!route) return response.writeHead(404).end();
  const onward = http.request(route.to + path, { method: request.method, headers: { 'content-type': 'application/json' } }, (answer) => {
    response.writeHead(answer.statusCode, { 'content-type': 'application/json' });
    answer.pipe(response);
  });
  onward.on('error', (error) => {
    if (!response.headersSent) response.writeHead(502, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ error: `${route.to} does not answer: ${error.code ?? error.message}` }));
  });
  request.pipe(onward);
});
server.listen(3000, () => console.log('listening on 3000'));
process.on('SIGTERM', () => server.close(() => process.exit(0)));
