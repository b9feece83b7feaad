/** The multiplexed stream: an 8-byte header (stream, three zeros, length big-endian) before each piece of output. */
export const frameHeaderBytes = 8;

const streamNumbers = { stdin: 0, stdout: 1, stderr: 2, systemerr: 3 } as const;

export type FrameStream = keyof typeof streamNumbers;

export function frame(stream: FrameStream, data: Uint8Array): Buffer {
  const result = Buffer.allocUnsafe(frameHeaderBytes + data.length);
  result.fill(0, 0, 4);
  result[0] = streamNumbers[stream];
  result.writeUInt32BE(data.length, 4);
  result.set(data, frameHeaderBytes);
  return result;
}
