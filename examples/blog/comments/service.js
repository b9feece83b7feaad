import http from 'node:http';

const limit = 64 * 1024;

/** The request's JSON body; an empty one is {}. */
async function body(request) {
  let text = '';
  for await (const chunk of request) {
    text += chunk;
    if (text.length > limit) throw Object.assign(new Error('the body is over 64 KiB'), { status: 413 });
  }
  try {
    return text === '' ? {} : JSON.parse(text);
  } catch {
    throw Object.assign(new Error('the body is not JSON'), { status: 400 });
  }
}

/** Serves `routes`, a map of 'METHOD /path/:name' to (params, body) => answer, and ends on SIGTERM. */
export function serve(port, routes) {
  const table = Object.entries({ 'GET /healthz': () => ({ ok: true }), ...routes }).map(([route, handler]) => {
    const [method, path] = route.split(' ');
    return { method, handler, pattern: new RegExp(`^${path.replace(/:(\w+)/g, '(?<$1>[^/]+)')}$`) };
  });
  const server = http.createServer(async (request, response) => {
    const path = new URL(request.url, 'http://localhost').pathname;
    const route = table.find((r) => r.method === request.method && r.pattern.test(path));
    try {
      if (!route) throw Object.assign(new Error(`no ${request.method} ${path} here`), { status: 404 });
      const params = { ...route.pattern.exec(path).groups };
      const answer = await route.handler(params, request.method === 'GET' ? {} : await body(request));
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer ?? {}));
    } catch (error) {
      response.writeHead(error.status ?? 500, { 'content-type': 'application/json' }).end(JSON.stringify({ error: error.message }));
    }
  });
  server.listen(port, () => console.log(`listening on ${port}`));
  process.on('SIGTERM', () => server.close(() => process.exit(0)));
}

/** Sends an event to the event bus, which every service finds by its name on the cluster's network. */
export async function emit(type, data) {
  const url = process.env.EVENT_BUS_URL ?? 'http://event-bus:4005';
  const answer = await fetch(`${url}/events`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ type, data }),
  });
  if (!answer.ok) throw new Error(`the event bus answered ${answer.status}`);
}
