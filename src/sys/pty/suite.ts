import { isFault } from '#lib/errors.ts';
import assert from 'node:assert/strict';
import { closeSync, openSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { describe, it } from 'node:test';
import type { Pty, Ptys } from './types.ts';

export interface PtysUnderTest {
  ptys: Ptys;
  /** Takes the slave over, as a program in the terminal would. */
  program: (pty: Pty) => { read(): Promise<string>; end(lastWords: string): void };
}

/** What every implementation of `Ptys` does. */
export function ptysSuite(name: string, make: () => PtysUnderTest): void {
  describe(`pty: ${name}`, () => {
    it('carries what is typed and what is shown, until the program is gone', async () => {
      const { ptys, program } = make();
      const pty = ptys.open();
      ptys.makeRaw(pty.slave);
      const inside = program(pty);
      pty.stream.write('typed\r');
      assert.equal(await inside.read(), 'typed\r');
      const screen = text(pty.stream);
      inside.end('shown');
      assert.equal(await screen, 'shown');
      pty.close();
    });

    it('has a size that can be changed while it is open', () => {
      const { ptys, program } = make();
      const pty = ptys.open({ rows: 30, columns: 100 });
      const inside = program(pty);
      assert.deepEqual(pty.size(), { rows: 30, columns: 100 });
      pty.resize(40, 120);
      assert.deepEqual(pty.size(), { rows: 40, columns: 120 });
      assert.throws(() => pty.resize(-1, 70_000), (error) => isFault(error, 'invalid'));
      pty.close();
      assert.throws(() => pty.resize(1, 1), (error) => isFault(error, 'unavailable'));
      inside.end('');
    });

    it('says that a file is no terminal', () => {
      const { ptys } = make();
      const fd = openSync('/dev/null', 'r');
      assert.throws(() => ptys.makeRaw(fd), (error) => isFault(error, 'invalid') && error.message.includes('terminal'));
      closeSync(fd);
    });
  });
}
