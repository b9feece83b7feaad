import { isFault } from '#lib/errors.ts';
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import type { Nftables } from './types.ts';

export interface NftablesUnderTest {
  nft: Nftables;
  /** Two empty network namespaces. */
  a: string;
  b: string;
  release: () => void;
}

/** What every implementation of `Nftables` does. */
export function nftablesSuite(name: string, make: () => NftablesUnderTest): void {
  describe(`nftables: ${name}`, () => {
    let under: NftablesUnderTest;
    let nft: Nftables;
    beforeEach(() => {
      under = make();
      nft = under.nft;
    });
    afterEach(() => under.release());

    const services = `
      table ip gantry {
        map services {
          type inet_proto . ipv4_addr . inet_service : verdict
          elements = { tcp . 10.0.0.1 . 80 : goto one }
        }
        chain one {
          accept
        }
        chain input {
          type filter hook input priority 0; policy accept;
          meta l4proto . ip daddr . th dport vmap @services
        }
      }`;

    it('loads tables into one namespace and lists them', () => {
      nft.run(services, under.a);
      nft.run('add table inet other', under.a);
      assert.deepEqual(nft.tables(under.a).sort(), ['inet other', 'ip gantry']);
      assert.deepEqual(nft.tables(under.b), []);
      const listed = JSON.stringify(nft.list('ip gantry', under.a));
      assert.match(listed, /"name":"services"/);
      assert.match(listed, /"name":"input"/);
      assert.equal(nft.list('ip absent', under.a), undefined);
    });

    it('adds and deletes map elements', () => {
      nft.run(services, under.a);
      nft.run('add element ip gantry services { tcp . 10.0.0.2 . 443 : goto one, udp . 10.0.0.2 . 53 : goto one }', under.a);
      assert.match(JSON.stringify(nft.list('ip gantry', under.a)), /10\.0\.0\.2/);
      nft.run('delete element ip gantry services { tcp . 10.0.0.2 . 443 }\ndelete element ip gantry services { udp . 10.0.0.2 . 53 }', under.a);
      assert.doesNotMatch(JSON.stringify(nft.list('ip gantry', under.a)), /10\.0\.0\.2/);
    });

    it('takes all of a transaction or nothing', () => {
      nft.run(services, under.a);
      assert.throws(
        () => nft.run('add chain ip gantry two\nadd rule ip gantry nowhere accept', under.a),
        (error) => isFault(error, 'not-found'),
      );
      assert.doesNotMatch(JSON.stringify(nft.list('ip gantry', under.a)), /"two"/);
      assert.throws(() => nft.run('delete table ip absent', under.a), (error) => isFault(error, 'not-found'));
      nft.run('add table ip absent\ndelete table ip absent\ndelete table ip gantry', under.a);
      assert.deepEqual(nft.tables(under.a), []);
    });

    it('refuses bad input in words', () => {
      assert.throws(() => nft.run('bogus thing', under.a), (error) => isFault(error, 'invalid') && /syntax error/.test(error.message));
      assert.throws(() => nft.run('table ip x {', under.a), (error) => isFault(error, 'invalid'));
      assert.throws(() => nft.run('add table ip x', `${under.a}-none`), (error) => isFault(error, 'not-found'));
    });
  });
}
