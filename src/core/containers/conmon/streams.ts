/** The streams of a process, over conmon's attach socket. */
import type { SeqPacket } from '#sys/seqpacket/types.ts';
import type { Streams } from '../types.ts';

/** Bytes of input per packet: conmon's buffer. */
const inputLimit = 32 * 1024;
const stderrPipe = 3;

export function streamsOf(socket: SeqPacket): Streams {
  let writes: Promise<unknown> = Promise.resolve();
  let inputEnded = false;
  const send = async (data: Uint8Array): Promise<void> => {
    for (let at = 0; at < data.length; at += inputLimit) await socket.write(data.subarray(at, at + inputLimit));
  };
  return {
    onOutput: (handler) =>
      socket.onPacket((packet) => {
        if (packet.length > 1) handler(packet[0] === stderrPipe ? 'stderr' : 'stdout', packet.subarray(1));
      }),
    onEnd: (handler) => socket.onClose(handler),
    write: (data) => {
      // An empty packet would read as the end of the input.
      if (inputEnded || data.length === 0) return Promise.resolve();
      const sent = writes.then(() => send(data));
      writes = sent.catch(() => {});
      return sent;
    },
    endInput: () => {
      if (inputEnded) return;
      inputEnded = true;
      void writes.then(() => socket.shutdownWrite());
    },
    pause: () => socket.pause(),
    resume: () => socket.resume(),
    close: () => socket.close(),
  };
}
