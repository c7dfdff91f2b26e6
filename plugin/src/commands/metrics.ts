import { openNetwork } from '../deploy/connect-network.ts'
import type { PeerHostProvider } from '../provider.ts'
import type { CommandPart } from './commands.ts'
import { fetchLogs, type LogRecord, parseStartTime } from './logs.ts'

const DAY = 86_400_000
/** Records of one page of the gateway's. */
const PAGE = 1000

/** `serverless metrics [-f NAME] [--startTime] [--endTime]`: what the gateway's log says of the last day, or of that time. */
export function metricsCommand(provider: PeerHostProvider): CommandPart {
  return { commands: { metrics: {} }, hooks: { 'metrics:metrics': () => metrics(provider) } }
}

/** Sums of a function's invocations. */
export interface Figures {
  invocations: number
  errors: number
  /** Milliseconds of all of them. */
  duration: number
}

export function addFigures(figures: Figures, record: LogRecord, from: number, to: number): Figures {
  const time = Date.parse(record.time)
  if (time < from || time > to) return figures
  return {
    invocations: figures.invocations + 1,
    errors: figures.errors + (record.status === 0 ? 0 : 1),
    duration: figures.duration + record.durationMs,
  }
}

const figureLines = ({ invocations, errors, duration }: Figures): string[] => [
  `  invocations: ${invocations}`,
  `  errors: ${errors}`,
  `  duration (avg.): ${invocations === 0 ? 0 : (duration / invocations).toFixed(1)} ms`,
]

async function metrics(provider: PeerHostProvider): Promise<void> {
  const { utils, options } = provider
  const names = options.function ? [provider.functionOption()] : provider.config().functions.map(({ name }) => name)
  const { project } = provider.config()
  const { gateway, owner } = openNetwork(provider.networkOptions())
  const now = Date.now()
  const timeOf = (name: 'startTime' | 'endTime', otherwise: number) =>
    typeof options[name] === 'string' ? parseStartTime(options[name], now, `--${name}`) : otherwise
  const from = timeOf('startTime', now - DAY)
  const to = timeOf('endTime', now)
  const lines = [
    `${new Date(from).toISOString()} - ${new Date(to).toISOString()}, as far as the gateway's log goes back`,
  ]
  for (const name of names) {
    let figures: Figures = { invocations: 0, errors: 0, duration: 0 }
    for (let since = 0; ; ) {
      const { records, cursor } = await fetchLogs(gateway, `${owner}/${project}/${name}`, { since, limit: PAGE })
      for (const record of records) figures = addFigures(figures, record, from, to)
      if (records.length < PAGE) break
      since = cursor
    }
    lines.push(`${name}:`, ...figureLines(figures))
  }
  utils.writeText(lines)
}
