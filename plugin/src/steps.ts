import type { ServerlessUtils } from './serverless-types.ts'

const seconds = (ms: number) => (ms < 10_000 ? `${(ms / 1000).toFixed(1)}s` : `${Math.round(ms / 1000)}s`)

/** Shows what is under way and for how long, and remembers how long each step took. */
export class Steps {
  readonly #progress: ReturnType<ServerlessUtils['progress']['get']>
  readonly #start = performance.now()
  readonly #done: string[] = []

  constructor({ progress }: Pick<ServerlessUtils, 'progress'>) {
    this.#progress = progress.get('main')
  }

  /** Runs one step under a label such as `Bundling 3 functions`; `short` names it in the summary. */
  async run<T>(short: string, label: string, work: () => Promise<T>): Promise<T> {
    const start = performance.now()
    this.#progress.notice(label)
    const clock = setInterval(
      () => this.#progress.notice(`${label} (${Math.round((performance.now() - start) / 1000)}s)`),
      1000,
    )
    try {
      const result = await work()
      this.#done.push(`${short} ${seconds(performance.now() - start)}`)
      return result
    } finally {
      clearInterval(clock)
      this.#progress.remove()
    }
  }

  /** `bundle 1.2s, store 0.1s`. */
  summary(): string {
    return this.#done.join(', ')
  }

  total(): string {
    return seconds(performance.now() - this.#start)
  }
}
