'use strict'
// Runs inside the jail as its main process, the zygote: gets ready, then forks one child for each execution.
//   zygote: fd 0 orders from the worker, fd 1 and 2 logs of the load, fd 3 one status byte per step
//   child:  fd 0 empty, fd 1 and 2 log connection, fd 3 request connection: one byte before it loads a bundle, one request
//
// A bundle loaded in the zygote may have replaced any built-in: an array's iterator that yields nothing would leave every
// descriptor shared. So what runs between the load and the child's last filter uses natives, indices and own properties
// only, on values that are made here, and every native that fails ends the process. So does an exception, such as of a stack
// that the load has used up: what goes on after it would go on in a child that shares everything.
process.env.UV_THREADPOOL_SIZE = '1' // ahead of the first use of the pool
process.umask(0o022) // not the worker's, which a file's mode would tell
const { pbkdf2 } = require('node:crypto')
const { syncBuiltinESMExports } = require('node:module')
const { promisify } = require('node:util')
const native = require('./natives.cjs')
const { FRAME, readFrame, writeFrame } = require('./frames.cjs')
const { compileFilter, zygoteRules, executionRules } = require('./seccomp.cjs')
const { replaceRandomness, refreshRandomness } = require('./randomness.cjs')
const { renewSqlite } = require('./sqlite-randomness.cjs')
const { preparePlatform, prepareFunction, loadFunction } = require('./function.cjs')
const { describeError } = require('./lambda/errors.cjs')
const { rehearse, touchAhead } = require('./rehearsal.cjs')
const { warmUpPlatform } = require('./warm-up.cjs')
const determinism = require('./determinism/index.cjs')
const { activeRequests } = require('./determinism/loop.cjs')

const ORDERS = 0,
  STATUS = 3,
  CHANNEL = 3
const AF_UNIX = 1,
  SOCK_STREAM = 1,
  RLIMIT_CORE = 4,
  RLIMIT_NPROC = 6,
  SIGKILL = 9,
  ANY_PROCESS = -1
const O_CLOEXEC = 0o2000000,
  O_NONBLOCK = 0o4000
const MAX_PROCESSES = 64
const NATIVE_FAILED = 71
/** Calls within calls that there must be room for behind a load: many times what the harness takes. */
const STACK_DEPTH = 1000
const { exit } = native

// What is known of the function ahead of its bundle: harness.cjs MEMORY_SIZE [deterministic] [network]
const [memorySize, ...traits] = process.argv.splice(2)
const kind = {
  memorySize: Number(memorySize),
  deterministic: traits.includes('deterministic'),
  network: traits.includes('network'),
}

const statusByte = Buffer.alloc(1),
  orderByte = Buffer.alloc(1),
  pipeEnds = new Int32Array(2)
const emptyInput = { read: [0], write: [] } // nobody holds the writing end: standard input is at its end
const loadLimit = limit(1, MAX_PROCESSES),
  runLimit = limit(MAX_PROCESSES, MAX_PROCESSES)
const noCore = limit(1, 1)
const zygoteFilter = compileFilter(zygoteRules),
  executionFilter = compileFilter(executionRules)
const workerAddress = unixAddress('/run/worker.sock'),
  workerAddressSize = workerAddress.length

function unixAddress(path) {
  const address = Buffer.alloc(2 + path.length + 1)
  address.writeUInt16LE(AF_UNIX)
  address.write(path, 2)
  return address
}

function limit(soft, hard) {
  const limits = Buffer.alloc(16)
  limits.writeBigUInt64LE(BigInt(soft), 0)
  limits.writeBigUInt64LE(BigInt(hard), 8)
  return limits
}

/** Natives report failure by a negative number; a step that failed must not go unnoticed. */
function must(result) {
  if (result < 0) native.exit(NATIVE_FAILED)
  return result
}

/**
 * Runs libuv's pool, so that a thread which appears later is the bundle's. One thread: what a load asks for is then answered
 * in the order in which it asked, on every machine. A child starts a pool of its own, by its own environment.
 */
function startThreadPool() {
  return promisify(pbkdf2)('', '', 20_000, 8, 'sha1')
}

/** Has libuv open its pipes for signals now: a bundle that listens to SIGTERM at load then leaves no new descriptor. */
function openSignalPipes() {
  const listener = () => {}
  process.on('SIGTERM', listener)
  process.off('SIGTERM', listener)
}

/** A module object leads to its exports, and so to fork: empty the cache and the tree that hangs from the main module. */
function hideModules() {
  for (const path of Object.keys(require.cache)) delete require.cache[path]
  module.children.length = 0
  process.mainModule = undefined
}

/** Runs microtasks: a load would have the harness go on within the load's own calls, and at the end of the stack. */
function refuseNestedTurns() {
  delete process._tickCallback
}

/**
 * A limit of nothing holds for files: where the host has a program take core dumps, each crash would start that. One byte
 * holds there, too (core(5)); it cannot be set where the host's own limit is nothing.
 */
function refuseCoreDumps() {
  native.setrlimit(RLIMIT_CORE, noCore)
}

/** The engine's flags are those of the command line: with its checks off, WebAssembly reads outside its memory. */
function refuseEngineFlags() {
  require('node:v8').setFlagsFromString = function setFlagsFromString() {
    throw new Error('the sandbox does not allow changes of V8 flags')
  }
}

/** Every page of the zygote costs each fork, and once more where the child writes to it. */
function shrinkHeap() {
  const { gc } = globalThis
  globalThis.gc = undefined // it cannot be deleted
  gc({ type: 'major', execution: 'sync', flavor: 'last-resort' })
  native.mallocTrim(0) // what was freed in the middle of the heap goes, too
}

async function getReady() {
  await warmUpPlatform() // ahead of a virtual clock: what ran on it would have moved it
  replaceRandomness()
  preparePlatform(kind)
  await rehearse(becomeExecution, execute)
  syncBuiltinESMExports()
  openSignalPipes()
  await startThreadPool()
  refuseNestedTurns()
  refuseEngineFlags()
  refuseCoreDumps()
  native.sealNatives()
  hideModules()
  must(native.setrlimit(RLIMIT_NPROC, runLimit))
  native.installFilter(zygoteFilter)
  shrinkHeap()
}

/** Throws where the stack does not reach. */
function needStack(depth) {
  if (depth > 0) needStack(depth - 1)
}

/** The order that ends the blank state: what to run, and where to fork. */
function readOrder() {
  const order = readFrame(ORDERS).head
  order.source = readFrame(ORDERS).body.toString('utf8')
  order.codeCache = readFrame(ORDERS).body
  return order
}

/**
 * No result of these calls is kept: what an execution did must not reach the next one through the zygote. The worker
 * looks at the jail from outside between the status byte and its next order.
 */
function forkUntilChild() {
  for (;;) {
    must(native.write(STATUS, statusByte, 1))
    if (native.read(ORDERS, orderByte, 1) !== 1) native.exit(0)
    const pid = must(native.fork())
    if (pid === 0) return
    native.waitpid(pid, null, 0) // this child, not the first that ends: an orphan must not end the execution
    native.kill(ANY_PROCESS, SIGKILL)
    while (native.waitpid(ANY_PROCESS, null, 0) > 0);
  }
}

function replace(fresh, inherited) {
  must(fresh)
  must(native.dup3(fresh, inherited, O_CLOEXEC))
  must(native.close(fresh))
}

function replacePipe({ read, write }, flags) {
  must(native.pipe2(pipeEnds, O_CLOEXEC | flags))
  const freshRead = pipeEnds[0],
    freshWrite = pipeEnds[1]
  for (let i = 0; i < read.length; i++) must(native.dup3(freshRead, read[i], O_CLOEXEC))
  for (let i = 0; i < write.length; i++) must(native.dup3(freshWrite, write[i], O_CLOEXEC))
  must(native.close(freshRead))
  must(native.close(freshWrite))
}

/** A descriptor inherited by fork is shared with every later execution: its bytes, its offset and its flags. */
function replaceDescriptors({ eventfds, epolls, pipes, locks, directories }) {
  for (let i = 0; i < eventfds.length; i++) replace(native.eventfd(0, O_CLOEXEC | O_NONBLOCK), eventfds[i])
  for (let i = 0; i < epolls.length; i++) replace(native.epollCreate(O_CLOEXEC), epolls[i])
  for (let i = 0; i < pipes.length; i++) replacePipe(pipes[i], O_NONBLOCK)
  for (let i = 0; i < locks.length; i++) {
    replacePipe(locks[i], 0)
    must(native.write(locks[i].write[0], statusByte, 1)) // the token: without it the first signal listener aborts
  }
  for (let i = 0; i < directories.length; i++) must(native.close(directories[i]))
  replacePipe(emptyInput, 0)
}

function connectToWorker() {
  const fd = must(native.socket(AF_UNIX, SOCK_STREAM | O_CLOEXEC, 0))
  must(native.connect(fd, workerAddress, workerAddressSize))
  return fd
}

/**
 * The worker knows a child by what the kernel says of it, which ends with the child: one that ended within its load before
 * the worker has accepted its connections would be a stranger. So the load waits until both are accepted.
 */
function waitUntilAccepted() {
  if (native.read(CHANNEL, orderByte, 1) !== 1) native.exit(0)
}

function becomeExecution(descriptors) {
  const channel = connectToWorker(),
    logs = connectToWorker() // first of all: the worker accepts them meanwhile
  replaceDescriptors(descriptors)
  replace(channel, CHANNEL) // also takes the status pipe away
  must(native.dup3(logs, 1, O_CLOEXEC))
  replace(logs, 2)
  must(native.resetEventLoop())
  must(native.setrlimit(RLIMIT_NPROC, runLimit))
  native.installFilter(executionFilter)
}

/** What the runtime answers with, as frames; the first completion of an execution is its last frame. */
const respond = {
  head: (head) => writeFrame(CHANNEL, FRAME.head, head),
  chunk: (bytes) => writeFrame(CHANNEL, FRAME.chunk, undefined, bytes),
  end: () => writeFrame(CHANNEL, FRAME.end),
  whole: ({ httpStatus, headers, body }) => writeFrame(CHANNEL, FRAME.whole, { httpStatus, headers }, body),
  output: (bytes) => writeFrame(CHANNEL, FRAME.output, undefined, bytes),
  failed: (error) => writeFrame(CHANNEL, FRAME.failed, error),
}

/** The request as the runtime takes it: the route and the texts come in the head, the body is raw. */
function toInvocation({ head, body }) {
  if (head.kind === 'http') head.request.body = body
  else head.body = body
  return head
}

async function execute({ runtime, handler }) {
  renewSqlite()
  await touchAhead(runtime)
  writeFrame(CHANNEL, FRAME.ready)
  const invocation = toInvocation(readFrame(CHANNEL))
  refreshRandomness()
  if (kind.deterministic) determinism.reseed({ seedHex: invocation.requestId, clockMs: invocation.clockMs })
  await runtime.invoke(handler, invocation, respond)
  native.exit(0) // not process.exit: no hook of the bundle runs, and nothing keeps the process
}

async function main() {
  try {
    await getReady()
  } catch (error) {
    process.stderr.write(`${error.stack}\n`)
    native.exit(NATIVE_FAILED)
  }
  must(native.write(STATUS, statusByte, 1)) // BLANK: the worker takes its picture before it sends the order
  const order = readOrder()
  const { descriptors } = order
  const runtime = prepareFunction(order, kind)
  let loaded
  if (order.forkPoint === 'loaded') {
    must(native.setrlimit(RLIMIT_NPROC, loadLimit)) // no thread in the zygote: it could do its work and end unseen
    loaded = await loadFunction(order, runtime)
    // What the load has asked the thread pool for without waiting would never be answered: the pool stays behind.
    if (activeRequests() > 0) exit(NATIVE_FAILED)
  }
  try {
    needStack(STACK_DEPTH) // here, where nobody has forked yet
    must(native.setrlimit(RLIMIT_NPROC, runLimit)) // with no await from here to the last filter
    forkUntilChild()
    becomeExecution(descriptors)
  } catch {
    exit(NATIVE_FAILED) // from this function itself: there may be no room for another call
  }
  if (!loaded) {
    waitUntilAccepted()
    // Here and not in a function of its own: microtasks that the load has left take as many turns as at `loaded`.
    try {
      loaded = await loadFunction(order, runtime)
    } catch (error) {
      writeFrame(CHANNEL, FRAME.initFailed, describeError(error))
      native.exit(0)
    }
  }
  await execute(loaded)
}

// What fails here fails in the zygote's load: the worker then has a child load the bundle, which tells why.
main().catch(() => native.exit(NATIVE_FAILED))
