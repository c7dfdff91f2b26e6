import { createRequire } from 'node:module'

const SYSCALL_PIDFD_SEND_SIGNAL = 424
const SYSCALL_PIDFD_OPEN = 434
const SOL_SOCKET = 1
const SO_PEERCRED = 17
const SO_SNDBUFFORCE = 32
const MSG_DONTWAIT = 0x40
const MNT_DETACH = 2
const S_IFCHR = 0o20000

/** System calls that Node does not offer, made by koffi. Negative results mean failure; nothing here throws. */
export interface Natives {
  /** Process on the other side of a unix socket as the kernel recorded it; 0 if it cannot be told. */
  peerPid(fd: number): number
  /** A descriptor that names this process and never another one; negative if it is gone. */
  openPidfd(pid: number): number
  /** Sends a signal through a pidfd. */
  signal(pidfd: number, signal: number): number
  /** How a process ended, or undefined where the kernel (older than 6.15) does not tell: a wait status. */
  exitStatus(pidfd: number): number | undefined
  /** True if the address space behind an open /proc/PID/maps has a shared mapping; undefined before kernel 6.11. */
  hasSharedMapping(mapsFd: number): boolean | undefined
  /** Reads what is there, without waiting. */
  receive(fd: number, bytes: Uint8Array): number
  /** Has the kernel take so many bytes at once that the other side has not read yet. Beyond its usual limit for root only. */
  growSendBuffer(fd: number, bytes: number): number
  close(fd: number): number
  schedulingPolicy(pid: number): number
  ioPriority(pid: number): number
  /** Without nosuid and nodev: nsjail cannot mount again, in its user namespace, what bears flags it does not name. */
  mountTmpfs(folder: string, options: string): number
  unmount(folder: string): number
  /** Makes a character device. */
  makeDevice(path: string, number: number, mode: number): number
}

let natives: Natives | undefined

/** The natives, loaded at the first call. */
export function getNatives(): Natives {
  natives ??= load()
  return natives
}

const _IOWR = (type: number, number: number, size: number) => ((3 << 30) | (size << 16) | (type << 8) | number) >>> 0
const PIDFD_GET_INFO = _IOWR(0xff, 11, 64)
const PIDFD_INFO_EXIT = 8n
const PROCMAP_QUERY = _IOWR(0x66, 17, 104)
const PROCMAP_QUERY_COVERING_OR_NEXT_VMA = 0x10n
const PROCMAP_QUERY_VMA_SHARED = 0x08n
const ENOENT = 2
const IOPRIO_WHO_PROCESS = 1
const SYSCALL_IOPRIO_GET: Record<string, number> = { x64: 252, arm64: 31 }

function load(): Natives {
  const koffi = createRequire(import.meta.url)('koffi')
  const libc = koffi.load('libc.so.6')
  const getsockopt = libc.func('int getsockopt(int, int, int, void*, void*)')
  const setsockopt = libc.func('int setsockopt(int, int, int, void*, unsigned int)')
  const syscall4 = libc.func('syscall', 'long', ['long', 'long', 'long', 'long', 'long'])
  const ioctl = libc.func('int ioctl(int, unsigned long, void*)')
  const recv = libc.func('long recv(int, void*, size_t, int)')
  const close = libc.func('int close(int)')
  const scheduler = libc.func('int sched_getscheduler(int)')
  const mount = libc.func('int mount(const char*, const char*, const char*, unsigned long, const char*)')
  const mknod = libc.func('int mknod(const char*, unsigned int, unsigned long)')
  const umount2 = libc.func('int umount2(const char*, int)')

  const credentials = Buffer.alloc(12)
  const size = Buffer.from([12, 0, 0, 0])
  const number = Buffer.alloc(4)
  const info = Buffer.alloc(64)
  const query = Buffer.alloc(104)

  return {
    peerPid(fd) {
      size.writeUInt32LE(12)
      return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, credentials, size) === 0 ? credentials.readInt32LE(0) : 0
    },
    openPidfd: (pid) => syscall4(SYSCALL_PIDFD_OPEN, pid, 0, 0, 0),
    signal: (pidfd, signal) => syscall4(SYSCALL_PIDFD_SEND_SIGNAL, pidfd, signal, 0, 0),
    exitStatus(pidfd) {
      // struct pidfd_info: u64 mask, u64 cgroupid, u32 pid, tgid, ppid, 8 ids, s32 exit_code
      info.fill(0)
      info.writeBigUInt64LE(PIDFD_INFO_EXIT, 0)
      if (ioctl(pidfd, PIDFD_GET_INFO, info) !== 0) return undefined
      return (info.readBigUInt64LE(0) & PIDFD_INFO_EXIT) === 0n ? undefined : info.readInt32LE(60)
    },
    hasSharedMapping(mapsFd) {
      // struct procmap_query: u64 size, query_flags, query_addr, then what is found
      query.fill(0)
      query.writeBigUInt64LE(104n, 0)
      query.writeBigUInt64LE(PROCMAP_QUERY_COVERING_OR_NEXT_VMA | PROCMAP_QUERY_VMA_SHARED, 8)
      if (ioctl(mapsFd, PROCMAP_QUERY, query) === 0) return true
      return koffi.errno() === ENOENT ? false : undefined
    },
    receive: (fd, bytes) => recv(fd, bytes, bytes.length, MSG_DONTWAIT),
    growSendBuffer(fd, bytes) {
      number.writeInt32LE(bytes)
      return setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, number, 4)
    },
    close,
    schedulingPolicy: scheduler,
    ioPriority: (pid) => syscall4(SYSCALL_IOPRIO_GET[process.arch]!, IOPRIO_WHO_PROCESS, pid, 0, 0),
    mountTmpfs: (folder, options) => mount('peerhost', folder, 'tmpfs', 0, options),
    unmount: (folder) => umount2(folder, MNT_DETACH),
    makeDevice: (path, number, mode) => mknod(path, S_IFCHR | mode, number),
  }
}
