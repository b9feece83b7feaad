import { must } from '#lib/assert.ts';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { closeSync, read, writeSync } from 'node:fs';
import { describe, it } from 'node:test';
import { promisify } from 'node:util';
import { linuxProcesses } from '../process/linux.ts';
import { fakePtys } from './fake.ts';
import { linuxPtys } from './linux.ts';
import { ptysSuite } from './suite.ts';

ptysSuite('fake', () => {
  const ptys = fakePtys();
  const program = (slave: number) => {
    const stream = must(ptys.programs.get(slave), 'the program');
    return { read: async () => String((await once(stream, 'data'))[0]), end: (words: string) => void stream.end(words) };
  };
  return { ptys, program: (pty) => program(pty.slave) };
});
if (process.platform === 'linux') {
  ptysSuite('linux', () => ({
    ptys: linuxPtys(),
    program: ({ slave }) => ({
      read: async () => {
        const { bytesRead, buffer } = await promisify(read)(slave, Buffer.alloc(100), 0, 100, null);
        return buffer.toString('utf8', 0, bytesRead);
      },
      end: (words) => {
        if (words !== '') writeSync(slave, words);
        closeSync(slave);
      },
    }),
  }));
}

describe('a program in a terminal', { skip: process.platform === 'linux' ? false : 'the host is not Linux' }, () => {
  it('sees its size, reads lines, and its end is the end of the stream', async () => {
    const pty = linuxPtys().open({ rows: 33, columns: 111 });
    const child = linuxProcesses().spawn('sh', ['-c', 'test -t 0 && stty size; read line; echo "got $line"; stty size'], { stdio: [pty.slave, pty.slave, pty.slave], detached: true });
    closeSync(pty.slave);
    let screen = '';
    pty.stream.on('data', (chunk: Buffer) => {
      if (screen === '') {
        pty.resize(44, 122);
        pty.stream.write('hello\n');
      }
      screen += chunk.toString();
    });
    await once(pty.stream, 'end');
    assert.deepEqual(screen.split('\r\n'), ['33 111', 'hello', 'got hello', '44 122', '']);
    assert.deepEqual(await child.exited, { code: 0, signal: null });
  });
});
