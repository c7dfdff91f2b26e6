import { closeSync, openSync, readSync } from 'node:fs'

/** Process numbers are counted on: a later execution could read how far. */
const MAX_PID_JUMP = 64

const buffer = Buffer.allocUnsafeSlow(4096)
const INNER_PIDS = Buffer.from('\nNSpid:')
const LINE_END = 10

/** Decides whether a process is the one fresh child that the zygote was ordered to make. */
export class ChildCheck {
  readonly #zygote: number
  readonly #children: number
  #lastInnerPid: number

  /** @param innerPid the zygote's own number inside its jail */
  constructor(zygote: number, innerPid = 1) {
    this.#lastInnerPid = innerPid
    this.#zygote = zygote
    this.#children = openSync(`/proc/${zygote}/task/${zygote}/children`, 'r')
  }

  /** True at most once for a process. Whatever cannot be read has ended meanwhile, and is not it. */
  isFreshChild(pid: number): boolean {
    try {
      const length = readSync(this.#children, buffer, 0, buffer.length, 0)
      if (buffer.toString('latin1', 0, length).trim() !== String(pid)) return false
      const innerPid = innerPidOf(pid)
      const jump = innerPid - this.#lastInnerPid
      this.#lastInnerPid = innerPid
      return jump > 0 && jump <= MAX_PID_JUMP && pid !== this.#zygote
    } catch {
      return false
    }
  }

  close(): void {
    closeSync(this.#children)
  }
}

/** A process's number inside its jail. */
function innerPidOf(pid: number): number {
  const fd = openSync(`/proc/${pid}/status`, 'r')
  try {
    const status = buffer.subarray(0, readSync(fd, buffer, 0, buffer.length, 0))
    const start = status.indexOf(INNER_PIDS) + INNER_PIDS.length
    const line = status.toString('latin1', start, status.indexOf(LINE_END, start))
    return Number(line.slice(line.lastIndexOf('\t') + 1))
  } finally {
    closeSync(fd)
  }
}
