import { mkdtempSync, rmSync } from 'node:fs';
import { createSocket } from 'node:dgram';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { linuxNetlinks } from '../netlink/linux.ts';
import { linuxNamespaces } from '../netns/linux.ts';
import { linuxNftables } from '../nft/linux.ts';
import { onLinuxAsRoot } from '../testing.ts';
import { fakeConntrack } from './fake.ts';
import { linuxConntrack } from './linux.ts';
import { conntrackSuite, type ConntrackUnderTest } from './suite.ts';

conntrackSuite('fake', () => {
  const conntrack = fakeConntrack();
  let port = 40_000;
  const send = (): Promise<number> => {
    port++;
    conntrack.track({ protocol: 'udp', source: { address: '10.9.0.1', port }, destination: { address: '10.9.0.5', port: 53 }, backend: { address: '10.9.0.1', port: 5353 }, phase: 'new' }, '/a');
    return Promise.resolve(port);
  };
  return { conntrack, a: '/a', b: '/b', send, release: () => {} };
});
onLinuxAsRoot('conntrack', () => conntrackSuite('linux', namespaces));

function namespaces(): ConntrackUnderTest {
  const netns = linuxNamespaces();
  const top = mkdtempSync(join(tmpdir(), 'gantry-ct-'));
  const [a, b] = [join(top, 'a'), join(top, 'b')];
  for (const path of [a, b]) netns.pin('net', path);
  const netlink = linuxNetlinks().open(a);
  netlink.createBridge('d0');
  netlink.addAddress('d0', '10.9.0.1/24');
  netlink.setLink('d0', { up: true });
  netlink.close();
  // what answers nothing: a port that is closed would say so
  linuxNftables().run('table ip t { chain out { type nat hook output priority -100; ip daddr 10.9.0.5 udp dport 53 dnat to 10.9.0.1:5353\n }\n }', a);
  const sink = netns.listen(a, 'udp', '10.9.0.1', 5353);
  const listener = createSocket('udp4');
  listener.bind({ fd: sink.fd });
  const send = async (): Promise<number> => {
    const { fd, port } = netns.listen(a, 'udp', '10.9.0.1', 0);
    const socket = createSocket('udp4');
    socket.bind({ fd });
    await new Promise<void>((resolve, reject) => socket.send('x', 53, '10.9.0.5', (error) => (error ? reject(error) : resolve())));
    socket.close();
    return port;
  };
  const release = (): void => {
    listener.close();
    for (const path of [a, b]) netns.unpin(path);
    rmSync(top, { recursive: true });
  };
  return { conntrack: linuxConntrack(), a, b, send, release };
}
