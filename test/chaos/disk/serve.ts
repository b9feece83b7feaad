/** A process with a recording disk on each directory of `DISKS` (not on its command line: it would look like a process of the root's), with the files that are there: it says when they are there, and fails by the errno that it is sent (null: no more). */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { RecordingDisk } from './recording.ts';

const filesIn = (directory: string): Map<string, Buffer> => new Map(readdirSync(directory).map((name) => [name, readFileSync(join(directory, name))]));
const disks = (process.env['DISKS'] ?? '').split(':').map((directory) => new RecordingDisk(directory, filesIn(directory)));
process.on('message', (errno: number | null) => {
  for (const disk of disks) {
    disk.acts.length = 0;
    disk.fails = () => errno ?? undefined;
  }
  process.send?.('done');
});
process.on('disconnect', () => {
  void Promise.all(disks.map((disk) => disk.end())).then(() => process.exit());
});
process.send?.('there');
