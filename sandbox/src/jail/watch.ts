import { closeSync, fstatSync, openSync, readdirSync, readSync } from 'node:fs'
import os from 'node:os'
import { getNatives } from '../host/natives.ts'

const READ_SIZE = 16_384
const now = Buffer.allocUnsafeSlow(131_072)

// Of the status all but the main thread's state and switches and the memory figures, which change: from, to.
const STATUS_PARTS = [
  ['Name:', '\nState:'],
  ['\nTgid:', '\nVmPeak:'],
  ['\nThreads:', '\nvoluntary_ctxt_switches:'],
].map((part) => part.map((mark) => Buffer.from(mark)))
const SHARED = /^\S+ ...s /m

/**
 * A zygote's state between executions, seen from outside as fast as may be: every file of /proc is opened once, and what
 * is read is compared with what was read at READY as bytes. Descriptors (number, flags, position, eventfd count, what an
 * epoll watches), threads and whether one has run, limits, signals, affinity, priority, mappings, listeners, children.
 */
export class Watch {
  readonly #pid: number
  readonly #fds: number[] = []
  /** Files whose text may not change at all. */
  readonly #whole: { fd: number; name: string }[] = []
  readonly #status: number
  readonly #maps: number
  readonly #descriptorFolder: number
  readonly #countsDescriptors: boolean
  #temporary = -1
  #temporaryTimes = ''
  #before: Buffer = Buffer.alloc(0)
  #lengths: number[] = []
  #priorities = ''

  /** Takes the picture that later ones are compared with. Throws where the zygote is gone. */
  constructor(pid: number) {
    this.#pid = pid
    const folder = `/proc/${pid}`
    try {
      for (const fd of readdirSync(`${folder}/fd`)) this.#keep(`${folder}/fdinfo/${fd}`, `descriptor ${fd}`)
      for (const thread of readdirSync(`${folder}/task`)) {
        if (Number(thread) !== pid) this.#keep(`${folder}/task/${thread}/schedstat`, `thread ${thread}`)
      }
      this.#keep(`${folder}/limits`, 'limits')
      this.#keep(`${folder}/task/${pid}/children`, 'child processes')
      this.#keep(`${folder}/net/unix`, 'listeners')
      this.#status = this.#open(`${folder}/status`)
      this.#maps = this.#open(`${folder}/maps`)
      this.#descriptorFolder = this.#open(`${folder}/fd`)
      this.#countsDescriptors = fstatSync(this.#descriptorFolder).size > 0 // kernel 6.2 on
      this.#openTemporary()
      const end = this.#read()
      this.#before = Buffer.from(now.subarray(0, end))
      this.#priorities = this.#readPriorities()
    } catch (error) {
      this.close()
      throw error
    }
  }

  #open(path: string): number {
    const fd = openSync(path, 'r')
    this.#fds.push(fd)
    return fd
  }

  #keep(path: string, name: string): void {
    this.#whole.push({ fd: this.#open(path), name })
  }

  #openTemporary(): void {
    this.#temporary = openSync(`/proc/${this.#pid}/root/tmp`, 'r')
    this.#temporaryTimes = this.#readTemporaryTimes()
  }

  /** Of its change, which cannot be set, and of its being read: the kernel notes that once a day. Nanoseconds. */
  #readTemporaryTimes(): string {
    const { ctimeNs, atimeNs } = fstatSync(this.#temporary, { bigint: true })
    return `${ctimeNs} ${atimeNs}`
  }

  #readPriorities(): string {
    const natives = getNatives()
    return `${os.getPriority(this.#pid)} ${natives.schedulingPolicy(this.#pid)} ${natives.ioPriority(this.#pid)}`
  }

  /** Reads everything into `now`; gives where it ends. */
  #read(): number {
    let end = 0
    this.#lengths.length = 0
    for (let i = 0; i < this.#whole.length; i++) {
      const length = readSync(this.#whole[i]!.fd, now, end, READ_SIZE, 0)
      this.#lengths.push(length)
      end += length
    }
    const status = now.subarray(end, end + readSync(this.#status, now, end, READ_SIZE, 0))
    let kept = 0
    for (let i = 0; i < STATUS_PARTS.length; i++) {
      const from = status.indexOf(STATUS_PARTS[i]![0]!, kept)
      const to = status.indexOf(STATUS_PARTS[i]![1]!, from)
      if (from < 0 || to < 0) throw new Error('the status is not as expected')
      status.copyWithin(kept, from, to)
      kept += to - from
    }
    return end + kept
  }

  /** What has changed since the first picture; undefined: nothing. Throws where the zygote is gone. */
  look(): string | undefined {
    const end = this.#read()
    if (end !== this.#before.length || now.compare(this.#before, 0, end, 0, end) !== 0) return this.#difference(end)
    if (this.#readPriorities() !== this.#priorities) return 'priority'
    if (this.#hasSharedMapping()) return 'a shared mapping'
    if (this.#descriptorCount() !== undefined) return 'another descriptor'
    return undefined
  }

  /** True if something was written to /tmp, or it shows that somebody has read it. */
  temporaryTouched(): boolean {
    return this.#readTemporaryTimes() !== this.#temporaryTimes
  }

  /** Descriptors that were not there: those that were are compared one by one. */
  #descriptorCount(): number | undefined {
    const expected = this.#whole.findIndex(({ name }) => !name.startsWith('descriptor'))
    const count = this.#countsDescriptors
      ? fstatSync(this.#descriptorFolder).size
      : readdirSync(`/proc/${this.#pid}/fd`).length
    return count === expected ? undefined : count
  }

  #hasSharedMapping(): boolean {
    const quick = getNatives().hasSharedMapping(this.#maps)
    if (quick !== undefined) return quick
    let text = ''
    for (let position = 0; ; ) {
      const length = readSync(this.#maps, now, 0, now.length, position)
      if (length === 0) return SHARED.test(text)
      text += now.toString('latin1', 0, length)
      position += length
    }
  }

  /** Names the first thing that differs. */
  #difference(end: number): string {
    let at = 0
    for (let i = 0; i < this.#whole.length; i++) {
      const length = this.#lengths[i]!
      const part = now.subarray(at, at + length)
      if (!part.equals(this.#before.subarray(at, at + length))) return this.#whole[i]!.name
      at += length
    }
    const status = now.toString('latin1', at, end).split('\n')
    const before = this.#before.toString('latin1', at).split('\n')
    return status.find((line, i) => line !== before[i]) ?? 'status'
  }

  close(): void {
    for (const fd of this.#fds.splice(0)) closeSync(fd)
    if (this.#temporary >= 0) closeSync(this.#temporary)
    this.#temporary = -1
  }
}
