import type { ChildProcess } from 'node:child_process'
import { chmodSync, closeSync, mkdirSync, rmSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises'
import type { CgroupSlot } from '../cgroup/types.ts'
import { deferred } from '../deferred.ts'
import type { Host } from '../host/host.ts'
import { listenIn } from '../host/listen.ts'
import { getNatives } from '../host/natives.ts'
import type { ResponseStream } from '../types.ts'
import type { Answer } from './answer.ts'
import { ChildCheck } from './child-check.ts'
import { CpuDebt } from './cpu-debt.ts'
import { ChildEnded, InitFailed, JailEnded, RefusedLoad } from './ends.ts'
import { Execution } from './execution.ts'
import { encodeFrame, FRAME } from './frame.ts'
import { heapFlag, NODE_FLAGS } from './node-flags.ts'
import { peerOf } from './peer.ts'
import { busyThreads, childrenOf, leftByLoad, type Picture, shareableDescriptors, takePicture } from './picture.ts'
import { slackFor } from './slack.ts'
import { spawnInJail } from './spawn-in-jail.ts'
import { StartLog } from './start-log.ts'
import { StatusSteps } from './status-steps.ts'
import { Watch } from './watch.ts'

const KILOBYTE = 1024
const MEGABYTE = 1024 * 1024
const START_MS = 15_000
const CONNECT_MS = 5_000
const END_MS = 50
const QUICK_LOOKS = 10
const IDLE_MS = 1000 // on a busy machine a thread takes a while to get as far as its wait
const CLEAN_UP_MS = 10
const CLEAN_UP_ROUNDS = 500
const MAX_PROCESSES = 64
const BACKLOG = 4
const SIGKILL = 9
const GO = Buffer.alloc(1)

/** -1: it is closed. */
const descriptorOf = (stream: Socket) => (stream as unknown as { _handle: { fd: number } | null })._handle?.fd ?? -1

/** Where children are forked: in a zygote that has loaded the bundle, or in one that never runs user code. */
export type ForkPoint = 'blank' | 'loaded'

/** What a jail has to know of its functions before there is a bundle. */
export interface JailKind {
  /** MB */
  memorySize: number
  /** With a virtual clock and seeded randomness. */
  deterministic: boolean
  /** With a way to an egress broker. */
  network: boolean
}

/** What a blank jail is given, once. */
export interface Order {
  forkPoint: ForkPoint
  /** For harness/function.cjs. */
  settings: Record<string, unknown>
  source: Buffer
  codeCache: Buffer | undefined
  /** Milliseconds that the bundle may take to load. */
  loadMs: number
}

/**
 * The worker's side of one jail: starts it, hands it a bundle, accepts one child per execution, looks at it from outside.
 * Whatever is not as it should be ends the jail.
 */
export class Jail {
  readonly kind: JailKind
  readonly slot: number
  /** Settles when nothing of the jail is left. */
  readonly gone: Promise<void>
  forkPoint: ForkPoint = 'blank'
  /** Why this jail is not used any more. */
  failure: string | undefined
  /** Called when an execution has ended. */
  onSettle: () => void = () => {}
  /** Called once when the jail ends, for whatever reason. */
  onEnd: () => void = () => {}
  readonly #host: Host
  readonly #folder: string
  readonly #cgroup: CgroupSlot | undefined
  /** What waits for a step of the jail is told of its end. */
  readonly #waits = new Set<(error: unknown) => void>()
  readonly #gone = deferred()
  readonly #startLog = new StartLog()
  #process!: ChildProcess
  #server!: Server
  #zygote = 0
  #zygotePidfd = -1
  #blank!: Picture
  #watch: Watch | undefined
  #check: ChildCheck | undefined
  #execution: Execution | undefined
  #orderedChild = false
  #loadMs = 0
  #firstChild = true
  #steps!: StatusSteps
  #debt: CpuDebt | undefined
  #outOfMemory = false
  #childConnected = deferred()
  #childOver: Promise<void> | undefined

  private constructor(host: Host, kind: JailKind) {
    this.#host = host
    this.kind = kind
    this.gone = this.#gone.promise
    this.slot = host.takeSlot()
    this.#folder = join(host.runFolder.slots, String(this.slot))
    try {
      host.makeSlotFolder(this.slot)
      mkdirSync(this.socketFolder, { mode: 0o711 })
      host.enter(this)
      const limits = { memory: kind.memorySize * MEGABYTE, pids: MAX_PROCESSES }
      this.#cgroup = host.cgroups?.createSlot(host.runFolder.number, this.slot, limits)
    } catch (error) {
      this.#end((error as Error).message)
      throw error
    }
  }

  /** Starts a jail that knows no bundle yet. */
  static async start(host: Host, kind: JailKind): Promise<Jail> {
    const jail = new Jail(host, kind)
    try {
      await jail.#listen()
      await jail.#spawn()
      return jail
    } catch (error) {
      jail.#end((error as Error).message)
      throw new JailEnded(`${jail.failure}: ${jail.#startLog.text}`, jail.ranOutOfMemory())
    }
  }

  /** Processes of the jail, for measurements. */
  get pids(): { zygote: number; child: number | undefined } {
    return { zygote: this.#zygote, child: this.#execution?.pid }
  }

  /** Folder with the jail's sockets, seen inside as /run. */
  get socketFolder(): string {
    return join(this.#folder, 'run')
  }

  /** True for the process that runs the current execution. */
  isExecution(pid: number): boolean {
    return this.#execution?.pid === pid
  }

  /** True while the execution has its request. */
  get isAsked(): boolean {
    return this.#execution?.isAsked ?? false
  }

  /** Adds a line of the worker's to what the execution has logged. */
  addLog(line: string): void {
    this.#execution?.logs.add(Buffer.from(`${line}\n`))
  }

  async #listen(): Promise<void> {
    this.#server = createServer({ pauseOnConnect: true }, (socket) => this.#accept(socket))
    this.#server.on('error', (error) => this.#end(error.message))
    await listenIn(this.socketFolder, 'worker.sock', this.#server, BACKLOG)
    chmodSync(this.socketFolder, 0o755)
    chmodSync(join(this.socketFolder, 'worker.sock'), 0o777) // who connects is decided by SO_PEERCRED
  }

  async #spawn(): Promise<void> {
    const { memorySize, deterministic, network } = this.kind
    const traits = [...(deterministic ? ['deterministic'] : []), ...(network ? ['network'] : [])]
    const argv = ['/node', ...NODE_FLAGS, heapFlag(memorySize), '/app/harness.cjs', String(memorySize), ...traits]
    const outsideId = this.#host.outsideId(this.slot)
    const sockets = this.socketFolder
    const [host, folder, cgroup] = [this.#host, this.#folder, this.#cgroup]
    this.#process = spawnInJail({ host, folder, cgroup, argv, outsideId, sockets, deterministic, passStatus: true })
    this.#process.on('error', (error) => this.#end(error.message))
    this.#process.on('exit', () => this.#end('the jail ended'))
    const [, out, errors, status] = this.#process.stdio
    for (const stream of [out, errors]) this.#startLog.read(stream as Socket)
    this.#steps = new StatusSteps(status as Socket, () => this.#end('a status that nobody waits for'))
    await this.#within(this.#steps.next(), START_MS, 'the jail did not start')
    this.#zygote = this.#look(() => childrenOf(this.#process.pid!)[0]!)
    this.#zygotePidfd = getNatives().openPidfd(this.#zygote)
    this.#check = this.#look(() => new ChildCheck(this.#zygote))
    await this.#untilIdle('order')
    this.#blank = this.#look(() => takePicture(this.#zygote))
    this.#watch = this.#look(() => new Watch(this.#zygote))
    if (this.#cgroup) this.#debt = this.#look(() => new CpuDebt(this.#zygote))
  }

  /** Waits for one step of the jail; whatever goes wrong meanwhile ends the jail. */
  #within<T>(step: Promise<T>, ms: number, message: string, maySlack = () => false): Promise<T> {
    if (this.failure !== undefined) return Promise.reject(new JailEnded(this.failure, this.ranOutOfMemory()))
    return new Promise<T>((resolve, reject) => {
      const expired = () => {
        if (!this.#waits.has(failed)) return
        if (maySlack()) timer = setTimeout(expire, ms)
        else this.#end(message)
      }
      // A timer of a busy worker may be late itself: what has arrived by then is looked at first.
      const expire = () => setImmediate(expired)
      let timer = setTimeout(expire, ms)
      const over = () => {
        clearTimeout(timer)
        this.#waits.delete(failed)
      }
      const failed = (error: unknown) => {
        over()
        reject(error)
      }
      this.#waits.add(failed)
      step.then((value) => {
        over()
        resolve(value)
      }, failed)
    })
  }

  /** Looks at the zygote from outside; one that has just died has no files under /proc any more. */
  #look<T>(at: () => T): T {
    try {
      return at()
    } catch (error) {
      throw this.#end((error as Error).message)
    }
  }

  async #untilIdle(main: 'order' | 'child', isOver = () => false): Promise<void> {
    const deadline = performance.now() + IDLE_MS
    for (let looks = 1; ; looks++) {
      const busy = this.#look(() => busyThreads(this.#zygote, main))
      if (busy.length === 0 || isOver()) return
      if (performance.now() > deadline) throw this.#end(busy.join(', '))
      await (looks < QUICK_LOOKS ? turn() : sleep(2)) // a few instructions away from its wait, mostly
    }
  }

  /**
   * Gives a blank jail its bundle, once. Throws RefusedLoad where executions would share what the load left behind, or
   * where it did not end; the jail has ended then.
   */
  async handOver({ forkPoint, settings, source, codeCache, loadMs }: Order): Promise<void> {
    this.forkPoint = forkPoint
    this.#loadMs = loadMs
    try {
      const order = { ...settings, forkPoint, descriptors: shareableDescriptors(this.#blank) }
      const orders = this.#process.stdin!
      getNatives().growSendBuffer(descriptorOf(orders as Socket), source.length + (codeCache?.length ?? 0) + KILOBYTE)
      orders.write(encodeFrame(FRAME.order, order))
      orders.write(encodeFrame(FRAME.order, undefined, source))
      orders.write(encodeFrame(FRAME.order, undefined, codeCache))
      await this.#within(this.#steps.next(), loadMs, 'the load did not end')
      await this.#untilIdle('order')
      if (forkPoint === 'loaded') this.#checkLoad()
    } catch (error) {
      throw new RefusedLoad((error as Error).message)
    }
  }

  /** What a load has left; the zygote of fork point `blank` never loads, and stays as it is watched from its start. */
  #checkLoad(): void {
    const ready = this.#look(() => takePicture(this.#zygote))
    const left = leftByLoad(this.#blank, ready)
    if (left.length > 0) throw this.#end(left.join(', '))
    this.#watch!.close()
    this.#watch = this.#look(() => new Watch(this.#zygote))
  }

  /** Has the next child forked; settles when that waits for its request. Throws InitFailed and JailEnded. */
  async prepare(): Promise<void> {
    this.#orderedChild = true
    this.#childOver = this.#steps.next() // it may end on its own account, ahead of any request
    this.#process.stdin!.write(GO)
    const connected = this.#connected()
    await this.#within(connected, CONNECT_MS, 'no child connected')
    const execution = this.#execution!
    // A child whose load ends at once lets the zygote go on: that load has failed, and this jail is not used again.
    if (this.#firstChild) await this.#untilIdle('child', () => execution.isOver)
    this.#firstChild = false
    await this.#loaded(execution)
  }

  async #loaded(execution: Execution): Promise<void> {
    try {
      const failure = await this.#within(execution.ready.promise, this.#loadMs, 'the load did not end')
      if (!failure) return
      throw new InitFailed(failure, false, execution.finishLogs())
    } catch (error) {
      const logs = execution.finishLogs()
      const outOfMemory = this.ranOutOfMemory()
      this.#end((error as Error).message)
      if (error instanceof InitFailed) throw error
      if (this.forkPoint === 'loaded') throw new RefusedLoad((error as Error).message)
      const errorType = error instanceof ChildEnded ? 'Runtime.ExitError' : 'Runtime.InitError'
      throw new InitFailed({ errorType, errorMessage: (error as Error).message, trace: [] }, outOfMemory, logs)
    }
  }

  async #connected(): Promise<void> {
    await this.#childConnected.promise
    await this.#execution!.connected.promise
  }

  #accept(socket: Socket): void {
    const pid = peerOf(socket)
    if (this.#execution && pid === this.#execution.pid) {
      this.#execution.add(socket)
      return
    }
    if (this.#orderedChild && !this.#execution && this.#check!.isFreshChild(pid)) {
      this.#orderedChild = false
      this.#execution = new Execution(pid, this.forkPoint === 'blank', (reason) => this.#end(reason))
      this.#execution.add(socket)
      this.#childConnected.resolve()
      return
    }
    socket.destroy()
    this.#end(`a connection from process ${pid}, which is not the child that was ordered`)
  }

  /**
   * One request, one answer. Throws ChildEnded, BadAnswer, AnswerTooLarge, JailEnded.
   *
   * @param request a whole frame
   */
  run(request: Buffer, kind: 'http' | 'event', stream: ResponseStream | undefined): Promise<Answer> {
    return this.#execution!.ask(request, kind, stream)
  }

  /** What the execution has logged so far; of the first one at `loaded`, also what the load has. */
  takeLogs(): string {
    return this.#startLog.take() + (this.#execution?.finishLogs() ?? '')
  }

  /**
   * Ends the execution and looks at the jail, before anything else runs in it. Throws JailEnded where something is left.
   * Gives how the child ended (a wait status), where the kernel tells.
   */
  async settle(): Promise<number | undefined> {
    const execution = this.#execution!
    const message = `the child was alive ${END_MS} ms after its answer`
    await this.#within(this.#childOver!, END_MS, message, slackFor(execution.pid, this.#zygote))
    const status = execution.exitStatus()
    execution.close()
    this.onSettle()
    this.#execution = undefined
    this.#childConnected = deferred()
    const left = this.#look(() => this.#watch!.look())
    if (left !== undefined) throw this.#end(`left by an execution: ${left}`)
    // A fresh tmpfs would show by its times when this execution ended: a jail whose /tmp was used is used up.
    if (this.#watch!.temporaryTouched()) throw this.#end('its /tmp was used')
    // The kernel's count does not go back: what happens to the next execution would be taken for the same.
    if (this.ranOutOfMemory()) throw this.#end('a process of it ran out of memory')
    await this.#payDebt()
    return status
  }

  /** The next execution would start with what this one has left of the quota, and could tell from that how much it took. */
  async #payDebt(): Promise<void> {
    const ms = this.#look(() => this.#debt?.owed() ?? 0)
    if (ms > 0) await sleep(ms)
    this.#look(() => this.#cgroup?.renewQuota())
  }

  /** True if the kernel killed a process of the jail for want of memory. */
  ranOutOfMemory(): boolean {
    try {
      this.#outOfMemory ||= this.#cgroup?.ranOutOfMemory() ?? false
    } catch {} // the group is gone
    return this.#outOfMemory
  }

  #end(reason: string): JailEnded {
    if (this.failure !== undefined) return new JailEnded(this.failure, this.ranOutOfMemory())
    this.failure = reason
    const end = new JailEnded(reason, this.ranOutOfMemory())
    if (this.#zygotePidfd >= 0) getNatives().signal(this.#zygotePidfd, SIGKILL)
    this.#process?.kill('SIGKILL')
    for (const failed of [...this.#waits]) failed(end)
    this.#server?.close()
    this.#execution?.close()
    void this.#cleanUp()
    this.onEnd()
    return end
  }

  /** Ends the jail. The reason is for logs. */
  close(reason = 'closed by the worker'): void {
    this.#end(reason)
  }

  async #cleanUp(): Promise<void> {
    const child = this.#process
    if (child?.pid !== undefined && child.exitCode === null && child.signalCode === null) {
      await new Promise((resolve) => child.once('exit', resolve))
    }
    for (const stream of child?.stdio ?? []) stream?.destroy()
    this.#watch?.close()
    this.#check?.close()
    this.#debt?.close()
    if (this.#zygotePidfd >= 0) closeSync(this.#zygotePidfd)
    this.#zygotePidfd = -1
    // The kernel takes a moment to take apart what the jail's processes held.
    for (let round = 0; this.#cgroup && !this.#cgroup.remove() && round < CLEAN_UP_ROUNDS; round++)
      await sleep(CLEAN_UP_MS)
    this.#cgroup?.close()
    rmSync(this.#folder, { recursive: true, force: true })
    this.#host.releaseSlot(this.slot)
    this.#gone.resolve()
  }
}
