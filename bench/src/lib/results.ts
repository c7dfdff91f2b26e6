import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { cpus, release, totalmem } from 'node:os'
import { join } from 'node:path'

/** One figure: what was measured, what it has to be, and a peer of the same run to hold it against. */
export interface Figure {
  name: string
  value: number
  unit: string
  /** What it has to be: at most, or with `atLeast` at least. */
  must?: number
  atLeast?: boolean
  /** What else was measured in the same run, for the ratio. */
  peer?: { name: string; value: number }
  note?: string
}

const round = (value: number) => (Math.abs(value) >= 100 ? Math.round(value) : Number(value.toPrecision(3)))

export const isMet = ({ value, must, atLeast }: Figure): boolean | undefined => (must === undefined ? undefined : atLeast ? value >= must : value <= must)

function commit(): string {
  try {
    return execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim()
  } catch {
    return 'unknown'
  }
}

/** Prints figures as a table and stores them with machine and versions. */
export function report(suite: string, figures: readonly Figure[], versions: Record<string, string>): void {
  for (const figure of figures) {
    const { name, value, unit, must, atLeast, peer, note } = figure
    const met = isMet(figure)
    const parts = [`${round(value)} ${unit}`]
    if (must !== undefined) parts.push(`must ${atLeast ? '>=' : '<='} ${must}${met ? '' : '  MISSED'}`)
    if (peer) parts.push(`${round(value / peer.value)} x ${peer.name} (${round(peer.value)})`)
    if (note) parts.push(note)
    console.log(`  ${name.padEnd(58)} ${parts.join(', ')}`)
  }
  const folder = join(import.meta.dirname, '../../results')
  mkdirSync(folder, { recursive: true })
  const [cpu] = cpus()
  const machine = { cpu: cpu?.model ?? 'unknown', cores: cpus().length, memoryGiB: Math.round(totalmem() / 2 ** 30), kernel: release() }
  const rounded = figures.map((figure) => ({ ...figure, value: round(figure.value), ...(figure.peer && { peer: { ...figure.peer, value: round(figure.peer.value), ratio: round(figure.value / figure.peer.value) } }) }))
  const content = { suite, date: new Date().toISOString(), commit: commit(), machine, versions: { node: process.version, ...versions }, figures: rounded }
  writeFileSync(join(folder, `${suite}.json`), `${JSON.stringify(content, undefined, 2)}\n`)
}
