import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { cpus, loadavg, release, totalmem } from 'node:os'
import { join } from 'node:path'

const FOLDER = join(import.meta.dirname, '../../results')

/** One figure: what was measured, what it has to be, and a peer of the same run to hold it against. */
export interface Figure {
  name: string
  value: number
  unit: string
  /** What it has to be: at most, or with `atLeast` at least. */
  must?: number
  atLeast?: boolean
  /** What else was measured in the same run, in the same unit, for the ratio. */
  peer?: { name: string; value: number }
  note?: string
}

const round = (value: number) => (Math.abs(value) >= 100 ? Math.round(value) : Number(value.toPrecision(3)))

/** Undefined where nothing is asked of the figure. */
export function isMet({ value, must, atLeast }: Figure): boolean | undefined {
  if (must === undefined) return undefined
  return atLeast ? value >= must : value <= must
}

function gitState(): string {
  try {
    const git = (...args: string[]) => execFileSync('git', args, { cwd: FOLDER, encoding: 'utf8' }).trim()
    const changed = git('status', '--porcelain', '--', '..', '../../sandbox', '../../gateway', '../../worker')
    return `${git('rev-parse', '--short', 'HEAD')}${changed ? ' with changes' : ''}`
  } catch {
    return 'unknown'
  }
}

function format(figure: Figure): string {
  const { name, value, unit, must, atLeast, peer, note } = figure
  const parts = [`${round(value)} ${unit}`]
  if (must !== undefined)
    parts.push(`${isMet(figure) ? 'met' : 'MISSED'}: must be ${atLeast ? 'at least' : 'at most'} ${must}`)
  if (peer) parts.push(`${round(value / peer.value)} x ${peer.name} (${round(peer.value)})`)
  if (note) parts.push(note)
  return `  ${name.padEnd(62)} ${parts.join(', ')}`
}

const withRatio = (figure: Figure) => ({
  ...figure,
  value: round(figure.value),
  met: isMet(figure),
  peer: figure.peer && {
    name: figure.peer.name,
    value: round(figure.peer.value),
    ratio: round(figure.value / figure.peer.value),
  },
})

/** The figures of one suite: printed as they come, stored at the end with machine and versions. */
export class Results {
  readonly #suite: string
  readonly #figures: Figure[] = []
  readonly #errors: string[] = []
  readonly #loadBefore = loadavg()[0]!
  readonly #began = Date.now()
  readonly versions: Record<string, string> = { node: process.versions.node }

  constructor(suite: string) {
    this.#suite = suite
  }

  add(...figures: Figure[]): void {
    this.#figures.push(...figures)
    for (const figure of figures) console.log(format(figure))
  }

  /** A part that could not be measured to its end. */
  fail(part: string, error: unknown): void {
    this.#errors.push(`${part}: ${(error as Error).message}`)
    console.log(`  ${part} FAILED: ${(error as Error).stack}`)
  }

  get failed(): boolean {
    return this.#errors.length > 0
  }

  /** How many of the figures that have to be something are not. */
  get missed(): number {
    return this.#figures.filter((figure) => isMet(figure) === false).length
  }

  /** Writes bench/results/<suite>.json. `load` is the machine's before the run: what others did to the figures. */
  store(): void {
    const [cpu] = cpus()
    const content = {
      suite: this.#suite,
      date: new Date(this.#began).toISOString(),
      seconds: Math.round((Date.now() - this.#began) / 1000),
      commit: gitState(),
      machine: {
        cpu: cpu?.model ?? 'unknown',
        cores: cpus().length,
        memoryGiB: Math.round(totalmem() / 2 ** 30),
        kernel: release(),
        load: round(this.#loadBefore),
      },
      versions: this.versions,
      figures: this.#figures.map(withRatio),
      errors: this.failed ? this.#errors : undefined,
    }
    mkdirSync(FOLDER, { recursive: true })
    writeFileSync(join(FOLDER, `${this.#suite}.json`), `${JSON.stringify(content, undefined, 2)}\n`)
  }
}
