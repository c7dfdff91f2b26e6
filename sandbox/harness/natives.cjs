'use strict'
// The libc and libuv functions that the harness uses, captured before any user code: Node has no fork, and its wrappers
// are ordinary JavaScript that a bundle can replace.
const koffi = require('koffi')
const { SYSCALL } = require('./seccomp.cjs')

const libc = koffi.load('libc.so.6')
const node = koffi.load(null) // the node binary exports libuv's symbols
koffi.struct('sock_fprog', { len: 'uint16_t', filter: 'void*' })

const fork = libc.func('int fork()')
const waitpid = libc.func('int waitpid(int, void*, int)')
const kill = libc.func('int kill(int, int)')
const exit = libc.func('void _exit(int)')
const read = libc.func('long read(int, void*, size_t)')
const write = libc.func('long write(int, void*, size_t)')
const close = libc.func('int close(int)')
const dup3 = libc.func('int dup3(int, int, int)')
const pipe2 = libc.func('int pipe2(void*, int)')
const eventfd = libc.func('int eventfd(int, int)')
const epollCreate = libc.func('int epoll_create1(int)')
const socket = libc.func('int socket(int, int, int)')
const connect = libc.func('int connect(int, void*, int)')
const setrlimit = libc.func('int setrlimit(int, void*)')
const mallocTrim = libc.func('int malloc_trim(size_t)')
const syscall = libc.func('long syscall(long, long, long, sock_fprog*)')
const uvLoopFork = node.func('int uv_loop_fork(void*)')
const defaultLoop = node.func('void* uv_default_loop()')()

const SECCOMP_SET_MODE_FILTER = 1
const SECCOMP_FILTER_FLAG_TSYNC = 1 // the filter binds the thread pool too
const FILTER_FAILED = 70

/** @param {{ len: number, filter: Buffer }} program of compileFilter; ends the process where the kernel refuses it */
function installFilter(program) {
  if (syscall(SYSCALL.seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, program) !== 0) exit(FILTER_FAILED)
}

const PROT_READ = 1,
  PROT_WRITE = 2,
  PROT_EXEC = 4,
  RTLD_NOW = 2,
  PAGE = 4096n

// `return NULL`, by architecture.
const RETURN_NULL = {
  x64: Buffer.from([0x31, 0xc0, 0xc3]),
  arm64: Buffer.from([0x00, 0x00, 0x80, 0xd2, 0xc0, 0x03, 0x5f, 0xd6]),
}

/** Writes `return NULL` over a function. The processor reads it anew with the page's new state. */
function disable(pointer, { mprotect, memcpy }) {
  const address = BigInt(koffi.address(pointer))
  const page = address - (address % PAGE)
  const code = RETURN_NULL[process.arch]
  if (mprotect(page, 8192, PROT_READ | PROT_WRITE | PROT_EXEC) !== 0) exit(FILTER_FAILED)
  memcpy(address, code, code.length)
  if (mprotect(page, 8192, PROT_READ | PROT_EXEC) !== 0) exit(FILTER_FAILED)
}

/**
 * Makes native code impossible to find: a bundle that required koffi would hold fork and mmap, and a thread without Node's
 * permission model may have SQLite load an extension, which is to call any function of any library by its name. A filter
 * cannot refuse either, because dlopen of a library that is already mapped maps nothing. So koffi's initialiser, which ran
 * at the require above, and dlsym are disabled; the functions captured above keep working.
 */
function sealNatives() {
  const library = Object.keys(require.cache).find((path) => path.endsWith('.node'))
  const handle = libc.func('void* dlopen(const char*, int)')(library, RTLD_NOW)
  const dlsym = libc.func('void* dlsym(void*, const char*)')
  const tools = {
    mprotect: libc.func('int mprotect(uint64_t, size_t, int)'),
    memcpy: libc.func('void* memcpy(uint64_t, void*, size_t)'),
  }
  const [initialiser, lookUp] = [dlsym(handle, 'napi_register_module_v1'), dlsym(null, 'dlsym')]
  disable(initialiser, tools)
  disable(lookUp, tools)
  process.permission.drop('addon')
}

module.exports = {
  fork,
  waitpid,
  kill,
  exit,
  read,
  write,
  close,
  dup3,
  pipe2,
  eventfd,
  epollCreate,
  socket,
  connect,
  setrlimit,
  installFilter,
  mallocTrim,
  sealNatives,
  resetEventLoop: uvLoopFork.bind(undefined, defaultLoop), // no function of ours that each child would have to compile,
}
