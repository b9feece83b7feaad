/**
 * The calls of libc that Node has no binding for. Bound on first use; strings go as UTF-8, `Uint8Array`s by
 * reference. A call that fails returns -1; `check` turns that into a `Fault`.
 *
 * Every descriptor that is made here is close-on-exec: a child gets what its `stdio` lists and nothing else.
 */
import { errnoFault } from './errno.ts';
import { loadKoffi } from './koffi.ts';

type Bytes = Uint8Array | null;
/** Ends with null. */
type Strings = (string | null)[];

export interface Libc {
  mount(source: string | null, target: string, type: string | null, flags: number, data: string | null): number;
  umount2(target: string, flags: number): number;
  /** umount2 on a thread of Node's pool; the errno is lost. */
  umount2Aside(target: string, flags: number): Promise<number>;
  /** mount, in the same way. */
  mountAside(source: string, target: string, type: string, flags: number, data: string): Promise<number>;
  unshare(flags: number): number;
  setns(fd: number, type: number): number;
  sethostname(name: string, length: number): number;
  socket(family: number, type: number, protocol: number): number;
  bind(fd: number, address: Bytes, length: number): number;
  listen(fd: number, backlog: number): number;
  accept4(fd: number, address: Bytes, length: Bytes, flags: number): number;
  connect(fd: number, address: Bytes, length: number): number;
  getsockname(fd: number, address: Bytes, length: Bytes): number;
  getsockopt(fd: number, level: number, name: number, value: Bytes, length: Bytes): number;
  setsockopt(fd: number, level: number, name: number, value: Bytes, length: number): number;
  send(fd: number, data: Bytes, length: number, flags: number): number;
  recv(fd: number, data: Bytes, length: number, flags: number): number;
  shutdown(fd: number, how: number): number;
  eventfd(initial: number, flags: number): number;
  epoll_create1(flags: number): number;
  epoll_ctl(epoll: number, operation: number, fd: number, event: Bytes): number;
  epoll_wait(epoll: number, events: Bytes, most: number, timeout: number): number;
  ioctl(fd: number, request: number, value: number): number;
  ioctlBytes(fd: number, request: number, value: Bytes): number;
  tcgetattr(fd: number, state: Bytes): number;
  tcsetattr(fd: number, when: number, state: Bytes): number;
  cfmakeraw(state: Bytes): void;
  mknod(path: string, mode: number, device: bigint): number;
  utimensat(directory: number, path: string, times: Bytes, flags: number): number;
  renameat2(fromDirectory: number, from: string, toDirectory: number, to: string, flags: number): number;
  lgetxattr(path: string, name: string, value: Bytes, size: number): number;
  lsetxattr(path: string, name: string, value: Bytes, size: number, flags: number): number;
  lremovexattr(path: string, name: string): number;
  llistxattr(path: string, list: Bytes, size: number): number;
  socketpair(family: number, type: number, protocol: number, pair: Bytes): number;
  pipe2(ends: Bytes, flags: number): number;
  memfd_create(name: string, flags: number): number;
  fcntl(fd: number, command: number, value: number): number;
  flock(fd: number, operation: number): number;
  waitid(type: number, id: number, info: Bytes, options: number): number;
  posix_spawn(pid: Bytes, path: string, actions: Bytes, attributes: Bytes, args: Strings, env: Strings): number;
  posix_spawn_file_actions_init(actions: Bytes): number;
  posix_spawn_file_actions_destroy(actions: Bytes): number;
  posix_spawn_file_actions_addopen(actions: Bytes, fd: number, path: string, flags: number, mode: number): number;
  posix_spawn_file_actions_adddup2(actions: Bytes, from: number, to: number): number;
  posix_spawn_file_actions_addchdir_np(actions: Bytes, path: string): number;
  posix_spawnattr_init(attributes: Bytes): number;
  posix_spawnattr_destroy(attributes: Bytes): number;
  posix_spawnattr_setflags(attributes: Bytes, flags: number): number;
  posix_spawnattr_setsigdefault(attributes: Bytes, signals: Bytes): number;
  posix_spawnattr_setsigmask(attributes: Bytes, signals: Bytes): number;
  pidfdOpen(pid: number, flags: number): number;
  closeRange(first: number, last: number, flags: number): number;
  openat2(directory: number, path: string, how: Bytes, size: number): number;
  fallocate(fd: number, mode: number, from: number, bytes: number): number;
  mountSetattr(directory: number, path: string, flags: number, attributes: Bytes, size: number): number;
}

// Where the C name is another, or where the call goes by number because older C libraries lack it (numbers
// from 424 up are the same on every architecture).
const signatures: Record<Exclude<keyof Libc, 'umount2Aside' | 'mountAside'>, [result: string, args: string[], symbol?: string, number?: number]> = {
  mount: ['int', ['str', 'str', 'str', 'ulong', 'str']],
  umount2: ['int', ['str', 'int']],
  unshare: ['int', ['int']],
  setns: ['int', ['int', 'int']],
  sethostname: ['int', ['str', 'size_t']],
  socket: ['int', ['int', 'int', 'int']],
  bind: ['int', ['int', 'void *', 'uint']],
  listen: ['int', ['int', 'int']],
  accept4: ['int', ['int', 'void *', 'void *', 'int']],
  connect: ['int', ['int', 'void *', 'uint']],
  getsockname: ['int', ['int', 'void *', 'void *']],
  getsockopt: ['int', ['int', 'int', 'int', 'void *', 'void *']],
  setsockopt: ['int', ['int', 'int', 'int', 'void *', 'uint']],
  send: ['long', ['int', 'void *', 'size_t', 'int']],
  recv: ['long', ['int', 'void *', 'size_t', 'int']],
  shutdown: ['int', ['int', 'int']],
  eventfd: ['int', ['uint', 'int']],
  epoll_create1: ['int', ['int']],
  epoll_ctl: ['int', ['int', 'int', 'int', 'void *']],
  epoll_wait: ['int', ['int', 'void *', 'int', 'int']],
  ioctl: ['int', ['int', 'ulong', 'long']],
  ioctlBytes: ['int', ['int', 'ulong', 'void *'], 'ioctl'],
  tcgetattr: ['int', ['int', 'void *']],
  tcsetattr: ['int', ['int', 'int', 'void *']],
  cfmakeraw: ['void', ['void *']],
  mknod: ['int', ['str', 'uint', 'uint64']],
  utimensat: ['int', ['int', 'str', 'void *', 'int']],
  renameat2: ['int', ['int', 'str', 'int', 'str', 'uint']],
  lgetxattr: ['long', ['str', 'str', 'void *', 'size_t']],
  lsetxattr: ['int', ['str', 'str', 'void *', 'size_t', 'int']],
  lremovexattr: ['int', ['str', 'str']],
  llistxattr: ['long', ['str', 'void *', 'size_t']],
  socketpair: ['int', ['int', 'int', 'int', 'void *']],
  pipe2: ['int', ['void *', 'int']],
  memfd_create: ['int', ['str', 'uint']],
  fcntl: ['int', ['int', 'int', 'long']],
  flock: ['int', ['int', 'int']],
  waitid: ['int', ['int', 'uint', 'void *', 'int']],
  posix_spawn: ['int', ['void *', 'str', 'void *', 'void *', 'str *', 'str *']],
  posix_spawn_file_actions_init: ['int', ['void *']],
  posix_spawn_file_actions_destroy: ['int', ['void *']],
  posix_spawn_file_actions_addopen: ['int', ['void *', 'int', 'str', 'int', 'uint']],
  posix_spawn_file_actions_adddup2: ['int', ['void *', 'int', 'int']],
  posix_spawn_file_actions_addchdir_np: ['int', ['void *', 'str']],
  posix_spawnattr_init: ['int', ['void *']],
  posix_spawnattr_destroy: ['int', ['void *']],
  posix_spawnattr_setflags: ['int', ['void *', 'short']],
  posix_spawnattr_setsigdefault: ['int', ['void *', 'void *']],
  posix_spawnattr_setsigmask: ['int', ['void *', 'void *']],
  pidfdOpen: ['long', ['int', 'uint'], 'syscall', 434],
  closeRange: ['long', ['uint', 'uint', 'uint'], 'syscall', 436],
  fallocate: ['int', ['int', 'int', 'int64', 'int64']],
  openat2: ['long', ['int', 'str', 'void *', 'size_t'], 'syscall', 437],
  mountSetattr: ['long', ['int', 'str', 'uint', 'void *', 'size_t'], 'syscall', 442],
};

let bound: Libc | undefined;

export function libc(): Libc {
  bound ??= bindAll();
  return bound;
}

function bindAll(): Libc {
  const library = loadKoffi().load(null);
  const functions: Record<string, unknown> = {};
  for (const [name, [result, args, symbol, number]] of Object.entries(signatures)) {
    if (number === undefined) functions[name] = library.func(symbol ?? name, result, args);
    else {
      const call = library.func('syscall', result, ['long', ...args]) as (...values: unknown[]) => number;
      functions[name] = (...values: unknown[]) => call(number, ...values);
    }
  }
  functions['umount2Aside'] = aside(functions['umount2']);
  functions['mountAside'] = aside(functions['mount']);
  return functions as unknown as Libc;
}

/** The function on a thread of Node's pool. */
function aside(bound: unknown): (...values: unknown[]) => Promise<number> {
  const call = bound as { async(...values: unknown[]): void };
  return (...values) => new Promise((resolve, reject) => call.async(...values, (error: Error | null, result: number) => (error ? reject(error) : resolve(result))));
}

/** The errno that the last failed call left; read it before anything else runs. */
export function lastErrno(): number {
  return loadKoffi().errno();
}

/** `result`, or the fault of a call that returned -1. */
export function check(result: number, what: string): number {
  if (result !== -1) return result;
  throw errnoFault(lastErrno(), what);
}
