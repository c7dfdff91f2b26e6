import { setTimeout as sleep } from 'node:timers/promises'
import { PeerHostError } from '@peerhost/protocol'
import { openNetwork } from '../deploy/connect-network.ts'
import type { GatewayClient } from '../deploy/gateway-client.ts'
import type { PeerHostProvider } from '../provider.ts'
import type { CommandPart } from './commands.ts'

/** One invocation as the gateway's `/logs` tells of it. */
export interface LogRecord {
  cursor: number
  requestId: string
  /** ISO 8601. */
  time: string
  status: number
  httpStatus?: number
  durationMs: number
  version: number
  start: string
  error?: { code: string; message: string }
  lines: string[]
}

export interface LogPage {
  records: LogRecord[]
  /** What to ask for next. */
  cursor: number
}

/** `serverless logs -f NAME [--tail] [--startTime 10m] [--filter TEXT]`. */
export function logsCommand(provider: PeerHostProvider): CommandPart {
  return { commands: { logs: {} }, hooks: { 'logs:logs': () => logs(provider) } }
}

/** Reads one page of a function's log: `<owner>/<project>/<function>`. */
export async function fetchLogs(
  gateway: GatewayClient,
  target: string,
  query: { since?: number; limit?: number },
  signal?: AbortSignal,
): Promise<LogPage> {
  const given = Object.entries(query).flatMap(([name, value]) => (value === undefined ? [] : [[name, String(value)]]))
  const parameters = given.length > 0 ? `?${new URLSearchParams(given)}` : ''
  const response = await gateway.callOk('GET', `/logs/${target}${parameters}`, undefined, {}, signal)
  const records = (await response.text())
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as LogRecord)
  return { records, cursor: Number(response.headers.get('peerhost-cursor') ?? query.since ?? 0) }
}

/** Without control characters: what a function wrote cannot steer the terminal. */
export const printable = (line: string): string => line.replace(/(?!\t)\p{Cc}/gu, '')

/** What `console` puts before a line, as on Lambda: time, request and level. INFO goes without saying. */
export const CONSOLE_HEAD = /^\S+Z\t(?:0x[0-9a-f]{64}|undefined)\t(?:INFO\t)?/

/** A function's own lines, each with time and request, and one of what became of it. */
export function logLines({ time, requestId, durationMs, version, error, lines }: LogRecord): string[] {
  const head = `${time} ${requestId.slice(0, 10)}`
  const end = error ? `${error.code}: ${error.message}` : 'done'
  const own = lines.map(
    (line) =>
      `${line.match(/^\S+Z(?=\t)/)?.[0] ?? time} ${requestId.slice(0, 10)} ${printable(line.replace(CONSOLE_HEAD, ''))}`,
  )
  return [...own, `${head} ${printable(end)} in ${durationMs.toFixed(1)} ms (version ${version})`]
}

/** `10m`, `2h`, `3d`, `45s`, or a date, as milliseconds since 1970. @throws PH_CONFIG_INVALID */
export function parseStartTime(text: string, now: number, option = '--startTime'): number {
  const match = /^(\d+)\s*([smhd])$/.exec(text.trim())
  if (match)
    return (
      now - Number(match[1]) * { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }[match[2] as 's' | 'm' | 'h' | 'd']
    )
  const date = Date.parse(text)
  if (Number.isNaN(date))
    throw new PeerHostError('PH_CONFIG_INVALID', {
      detail: `${option} is "${text}", neither a time span such as 10m nor a date`,
    })
  return date
}

async function logs(provider: PeerHostProvider): Promise<void> {
  const { utils, options } = provider
  const name = provider.functionOption()
  const { project } = provider.config()
  const { gateway, owner } = openNetwork(provider.networkOptions())
  const target = `${owner}/${project}/${name}`
  const filter = typeof options.filter === 'string' ? options.filter : ''
  const since = typeof options.startTime === 'string' ? parseStartTime(options.startTime, Date.now()) : undefined
  const show = ({ records }: LogPage) => {
    for (const record of records) {
      if (since !== undefined && Date.parse(record.time) < since) continue
      const lines = logLines(record).filter((line) => line.includes(filter))
      if (lines.length > 0) utils.writeText(lines)
    }
  }

  let page = await fetchLogs(gateway, target, since === undefined ? {} : { since: 0, limit: 1000 })
  show(page)
  while (since !== undefined && page.records.length === 1000) {
    page = await fetchLogs(gateway, target, { since: page.cursor, limit: 1000 })
    show(page)
  }
  if (!options.tail) return
  const interval = Math.max(100, Number(options.interval) || 1000)
  for (;;) {
    await sleep(interval)
    page = await fetchLogs(gateway, target, { since: page.cursor })
    show(page)
  }
}
