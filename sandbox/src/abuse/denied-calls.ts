import { constants } from 'node:os'
import type { CallOutcome, SystemCall } from './syscall-probe.ts'

const { EPERM, ENOSYS, EAFNOSUPPORT, EOPNOTSUPP } = constants.errno

const SIGCHLD = 17
const CLONE = {
  parent: 0x8000,
  newTime: 0x80,
  newNs: 0x20000,
  newCgroup: 0x2000000,
  newUts: 0x4000000,
  newIpc: 0x8000000,
}
const NEW = { user: 0x10000000, pid: 0x20000000, net: 0x40000000 }
const AF = { inet: 2, inet6: 10, packet: 17, alg: 38, vsock: 40, bluetooth: 31, xdp: 44, netlink: 16 }
const STREAM = 1
const RAW = 3
const SELF = 0
const ZYGOTE = 1
const SIGKILL = 9
/** clock_getcpuclockid(3) of process 1, as 32 bits. */
const CLOCK_OF_ZYGOTE = 0xfffffff2

const call = (name: string, x64: number | null, arm64: number | null, ...values: (number | string)[]): SystemCall => ({
  name,
  x64,
  arm64,
  arguments: values,
})
const socket = (name: string, family: number, type = STREAM, protocol = 0) =>
  call(`socket ${name}`, 41, 198, family, type, protocol)
const clone = (name: string, flags: number) => call(`clone ${name}`, 56, 220, flags | SIGCHLD)
const fcntl = (name: string, command: number, value = 1) => call(`fcntl ${name}`, 72, 25, 0, command, value)
const ioctl = (name: string, command: number) => call(`ioctl ${name}`, 16, 29, 0, command, 'value')
const prctl = (name: string, option: number, ...values: number[]) => call(`prctl ${name}`, 157, 167, option, ...values)

/** An int as the filter may see it: the kernel takes the low half of a register. */
const HIGH_BITS = 2 ** 32

/** What nothing honest calls: it ends the process. */
const KILLED: SystemCall[] = [
  call('ptrace', 101, 117, 16, ZYGOTE),
  call('process_vm_readv', 310, 270, ZYGOTE),
  call('process_vm_writev', 311, 271, ZYGOTE),
  call('kcmp', 312, 272, ZYGOTE, ZYGOTE),
  call('pidfd_getfd', 438, 438, 3, 0),
  call('mount', 165, 40, 'none', '/tmp', 'tmpfs'),
  call('umount2', 166, 39, '/tmp', 2),
  call('pivot_root', 155, 41, '/tmp', '/tmp'),
  call('chroot', 161, 51, '/tmp'),
  call('setns', 308, 268, 0, 0),
  call('unshare', 272, 97, NEW.user),
  call('open_tree', 428, 428, -100, '/'),
  call('move_mount', 429, 429, -100, '/', -100, '/tmp'),
  call('fsopen', 430, 430, 'tmpfs'),
  call('fsconfig', 431, 431),
  call('fsmount', 432, 432),
  call('fspick', 433, 433, -100, '/'),
  call('mount_setattr', 442, 442, -100, '/'),
  call('bpf', 321, 280),
  call('perf_event_open', 298, 241),
  call('userfaultfd', 323, 282, 1),
  call('keyctl', 250, 219, 0, -3, 1),
  call('add_key', 248, 217, 'user', 'kept', 'x', 1, -3),
  call('request_key', 249, 218, 'user', 'kept'),
  call('init_module', 175, 105),
  call('finit_module', 313, 273),
  call('delete_module', 176, 106, 'x'),
  call('kexec_load', 246, 104),
  call('kexec_file_load', 320, 294),
  call('reboot', 169, 142),
  call('swapon', 167, 224, '/tmp'),
  call('swapoff', 168, 225, '/tmp'),
  call('acct', 163, 89, '/tmp'),
  call('quotactl', 179, 60),
  call('syslog', 103, 116, 3),
  call('settimeofday', 164, 170),
  call('clock_settime', 227, 112),
  call('clock_adjtime', 305, 266),
  call('adjtimex', 159, 171),
  call('iopl', 172, null, 3),
  call('ioperm', 173, null, 0, 1, 1),
  call('modify_ldt', 154, null),
  call('personality', 135, 92, 0x40000),
  call('name_to_handle_at', 303, 264, -100, '/'),
  call('open_by_handle_at', 304, 265, -100),
  call('fanotify_init', 300, 262),
  call('vhangup', 153, 58),
  call('sethostname', 170, 161, 'x', 1),
  call('setdomainname', 171, 162, 'x', 1),
  call('memfd_secret', 447, 447),
  call('a call of the x32 ABI', 0x40000027, null),
]

/** What this process may not do to another one, to the zygote's settings, or to what outlives it. */
const NOT_PERMITTED: SystemCall[] = [
  clone('a process', 0),
  clone('of the parent', CLONE.parent),
  ...Object.entries({ ...CLONE, ...NEW }).map(([name, flags]) => clone(name, flags)),
  clone('a thread in namespaces of its own', NEW.user | 0x10f00),
  call('fork', 57, null),
  call('vfork', 58, null),
  call('execve', 59, 221, '/node'),
  call('execveat', 322, 281, -100, '/node'),
  call('mmap of a library', 9, 222, 0, 4096, 5, 2, 0),
  call('kill the zygote', 62, 129, ZYGOTE, SIGKILL),
  call('kill all', 62, 129, -1, 0),
  call('tgkill', 234, 131, ZYGOTE, ZYGOTE, SIGKILL),
  call('tkill', 200, 130, ZYGOTE, SIGKILL),
  call('rt_sigqueueinfo', 129, 138, ZYGOTE, SIGKILL),
  call('rt_tgsigqueueinfo', 297, 240, ZYGOTE, ZYGOTE, SIGKILL),
  call('prlimit of the zygote', 302, 261, ZYGOTE, 7),
  call('priority of the zygote', 141, 140, 0, ZYGOTE, 19),
  call('priority of the group', 141, 140, 1, SELF, 19),
  call('I/O priority of the zygote', 251, 30, 1, ZYGOTE, 0),
  call('affinity of the zygote', 203, 122, ZYGOTE, 8),
  call('affinity of a thread of the zygote', 203, 122, ZYGOTE + 1, 8),
  call('scheduler of the zygote', 144, 119, ZYGOTE),
  call('scheduling of the zygote', 142, 118, ZYGOTE),
  call('scheduling attributes of the zygote', 314, 274, ZYGOTE),
  fcntl('F_SETOWN', 8),
  fcntl('F_SETSIG', 10),
  fcntl('F_SETOWN_EX', 15),
  fcntl('F_SETLEASE', 1024),
  fcntl('F_NOTIFY', 1026),
  call('move_pages', 279, 239, ZYGOTE),
  call('migrate_pages', 256, 238, ZYGOTE),
  fcntl('O_ASYNC', 4, 0x2000),
  ioctl('FIOASYNC', 0x5452),
  ioctl('FIOSETOWN', 0x8901),
  ioctl('SIOCSPGRP', 0x8902),
  prctl('core scheduling of the zygote', 62, 2, ZYGOTE),
  prctl('a filter', 22, 2),
  prctl('merged memory', 67, 1),
  prctl('a debugger', 0x59616d61, ZYGOTE),
  call('CPU time of the zygote', 228, 113, CLOCK_OF_ZYGOTE, 'room for a time'),
  call('resolution of its clock', 229, 114, CLOCK_OF_ZYGOTE, 'room for a time'),
  call('sleep by its clock', 230, 115, CLOCK_OF_ZYGOTE, 0, 'room for a time'),
  call('a timer by its clock', 222, 107, CLOCK_OF_ZYGOTE, 0, 'room for a number'),
  ...['merged', 'cold', 'swapped', 'huge'].map((what, i) =>
    call(`${what} pages`, 28, 233, 0, 4096, [12, 20, 21, 25][i]!),
  ),
  call('flock', 73, 32, 0, 2),
  call('sync', 162, 81),
  call('syncfs', 306, 267, 0),
  call('a watch of what others read', 254, 27, 0, '/node', 0x20),
  call('a descriptor of the worker', 55, 209, 0, 1, 77, 'room for one', 'size'),
  call('tgkill, high bits', 234, 131, HIGH_BITS + ZYGOTE, ZYGOTE, SIGKILL),
  call('fcntl, high bits', 72, 25, 0, HIGH_BITS + 8, 1),
  call('ioctl, high bits', 16, 29, 0, HIGH_BITS + 0x8901, 'value'),
  call('prctl, high bits', 157, 167, HIGH_BITS + 62, 2, ZYGOTE),
  call('a clock, high bits', 228, 113, HIGH_BITS + CLOCK_OF_ZYGOTE, 'room for a time'),
  call('kill, high bits', 62, 129, HIGH_BITS + ZYGOTE, SIGKILL),
  call('prlimit, high bits', 302, 261, HIGH_BITS + ZYGOTE, 7),
  call('priority, high bits', 141, 140, HIGH_BITS, HIGH_BITS + ZYGOTE, 19),
  call('a core scheduling cookie, high bits', 157, 167, HIGH_BITS + 62, HIGH_BITS + 2, ZYGOTE),
  call('get_robust_list', 274, 100, ZYGOTE),
  call('setpgid', 109, 154),
  call('shmget', 29, 194, 1, 4096, 0o1666),
  call('semget', 64, 190, 1, 1, 0o1666),
  call('msgget', 68, 186, 1, 0o1666),
  call('mq_open', 240, 180, 'kept', 0o102, 0o666),
  call('memfd_create', 319, 279, 'kept'),
  call('seccomp', 317, 277, 0),
  call('mknodat', 259, 33, -100, '/tmp/disk', 0o60666, 0x800), // by want of capabilities, as are the next ones
  call('setgroups', 116, 159),
  call('a timer that wakes the machine', 283, 85, 9),
]

/**
 * What Linux learnt after 5.0, up to numbers that it does not use yet, without those that end a process: they are killed
 * before they can be missing.
 */
const LATER_CALLS = Array.from({ length: 512 - 424 }, (_, i) => 424 + i).filter(
  (number) => !KILLED.some(({ x64 }) => x64 === number),
)

const MISSING: SystemCall[] = [
  call('process_mrelease', 448, 448),
  call('process_madvise', 440, 440),
  call('pidfd_send_signal', 424, 424, 3, SIGKILL),
  call('pidfd_open', 434, 434, ZYGOTE),
  call('clone3', 435, 435),
  call('io_setup', 206, 0, 8, 'room for one'),
  ...LATER_CALLS.map((number) => call(`number ${number}`, number, number)),
  call('openat2', 437, 437, -100, '/'),
  call('io_uring_setup', 425, 425, 8),
  call('io_uring_enter', 426, 426),
  call('io_uring_register', 427, 427),
]

const NO_SOCKET: SystemCall[] = [
  socket('TCP', AF.inet),
  socket('UDP', AF.inet, 2),
  socket('raw', AF.inet, RAW, 1),
  socket('TCP over IPv6', AF.inet6),
  socket('packet', AF.packet, RAW, 0x300),
  socket('vsock', AF.vsock),
  socket('kernel cryptography', AF.alg, 5),
  socket('bluetooth', AF.bluetooth, RAW),
  socket('XDP', AF.xdp, RAW),
  socket('netlink audit', AF.netlink, RAW, 9),
  socket('netlink netfilter', AF.netlink, RAW, 12),
  socket('netlink events', AF.netlink, RAW, 15),
]

const NO_FILE: SystemCall[] = [call('a file without a name', 257, 56, -100, '/tmp', 0o20200002, 0o600)]

/** Harmless ones, which must work: otherwise the probe proves nothing. */
const ALLOWED: SystemCall[] = [
  call('getpid', 39, 172),
  socket('unix', 1),
  socket('netlink route', AF.netlink, RAW),
  call('getppid', 110, 173),
]

const all = (calls: SystemCall[], outcome: CallOutcome) => calls.map((one) => ({ call: one, outcome }))

/** Each system call that an attack would want, and what must come of it. */
export const DENIED_CALLS: { call: SystemCall; outcome: CallOutcome }[] = [
  ...all(KILLED, 'SIGSYS'),
  ...all(NOT_PERMITTED, EPERM),
  ...all(MISSING, ENOSYS),
  ...all(NO_SOCKET, EAFNOSUPPORT),
  ...all(NO_FILE, EOPNOTSUPP),
  ...all(ALLOWED, 0),
]
