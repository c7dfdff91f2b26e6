import type { Readable } from 'node:stream'

/** Characters that are kept. */
const MAX_LOG = 16 * 1024
/** Bytes that a stream carries unhindered. */
const FREE_LOG = 1024 * 1024
const PAUSE_MS = 10 // per chunk beyond that: a load that floods its log is slowed down

/** What a jail says before its first execution: nsjail, the harness, the bundle's load in the zygote. */
export class StartLog {
  #text = ''

  /** Reads one more stream. */
  read(stream: Readable): void {
    let received = 0
    stream.on('data', (bytes: Buffer) => {
      if (this.#text.length < MAX_LOG) this.#text += bytes.toString('utf8')
      received += bytes.length
      if (received < FREE_LOG) return
      stream.pause()
      setTimeout(() => stream.resume(), PAUSE_MS)
    })
  }

  get text(): string {
    return this.#text
  }

  /** Gives what there is, once. */
  take(): string {
    const text = this.#text
    this.#text = ''
    return text
  }
}
