/** What tests of several nodes share: a web deployment that says who answers, and where its pods are. */
import assert from 'node:assert/strict';
import { TestDaemon, until } from './daemon.ts';

/** `replicas` pods that answer with their names on port 8080, and a node-port Service before them. */
export const web = (name: string, replicas: number, pod = ''): string => `
apiVersion: apps/v1
kind: Deployment
metadata: {name: ${name}}
spec:
  replicas: ${replicas}
  selector: {matchLabels: {app: ${name}}}
  template:
    metadata: {labels: {app: ${name}}}
    spec:
      terminationGracePeriodSeconds: 0
      ${pod}
      containers:
        - name: main
          image: bb
          command: [sh, -c, 'mkdir /w; hostname > /w/index.html; echo serving; trap "exit 0" TERM; httpd -f -p 8080 -h /w & wait']
          readinessProbe: {tcpSocket: {port: 8080}, periodSeconds: 1}
---
apiVersion: v1
kind: Service
metadata: {name: ${name}}
spec: {type: NodePort, selector: {app: ${name}}, ports: [{port: 80, targetPort: 8080}]}
`;

export interface PlacedPod {
  name: string;
  node: string;
  ip: string;
}

export class TestNodes extends TestDaemon {
  async apply(text: string): Promise<void> {
    const { code, stderr } = await this.run('kubectl', ['apply', '-f', '-'], text);
    assert.equal(code, 0, stderr);
  }

  /** Its pods that are ready and not being deleted. */
  async pods(app: string): Promise<PlacedPod[]> {
    const format = '{range .items[*]}{.metadata.name} {.spec.nodeName} {.status.podIP} {.status.conditions[?(@.type=="Ready")].status} {.metadata.deletionTimestamp}{"\\n"}{end}';
    const text = await this.ok('kubectl', 'get', 'pods', '-l', `app=${app}`, '-o', `jsonpath=${format}`);
    return text.split('\n').filter((line) => line !== '').map((line) => line.split(' ')).flatMap(([name = '', node = '', ip = '', ready, deleted]) => (ready === 'True' && !deleted ? [{ name, node, ip }] : []));
  }

  /** Waits until so many pods are ready on each node. */
  async placed(app: string, wanted: Readonly<Record<string, number>>, seconds = 30): Promise<PlacedPod[]> {
    let found: PlacedPod[] = [];
    const look = async (): Promise<boolean> => {
      found = await this.pods(app);
      const counts = Map.groupBy(found, ({ node }) => node);
      return Object.entries(wanted).every(([node, count]) => (counts.get(node)?.length ?? 0) === count);
    };
    try {
      await until(`${app} to be ${JSON.stringify(wanted)}`, look, seconds);
    } catch (error) {
      throw new Error(`${String(error)}:\n${await this.ok('kubectl', 'get', 'pods', '-o', 'wide')}\n${await this.ok('kubectl', 'get', 'events')}`, { cause: error });
    }
    return found;
  }

  async urls(service: string): Promise<{ cluster: string; port: string }> {
    const [cluster = '', port = ''] = (await this.ok('kubectl', 'get', 'svc', service, '-o', 'jsonpath={.spec.clusterIP} {.spec.ports[0].nodePort}')).split(' ');
    return { cluster, port };
  }

  node(...words: string[]): Promise<string> {
    return this.gantry('node', ...words);
  }

  async ready(...names: string[]): Promise<void> {
    await this.ok('kubectl', 'wait', '--for=condition=Ready', ...names.map((name) => `node/${name}`), '--timeout=30s');
  }
}
