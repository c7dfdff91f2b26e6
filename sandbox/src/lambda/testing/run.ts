import { spawn } from 'node:child_process'
import type { Readable, Writable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'

export const CLOCK_MS = 1_735_689_600_000
export const REQUEST_ID = `0x${'ab'.repeat(32)}`
export const OWNER = '0x00000000000000000000000000000000000000aa'

export const config = {
  owner: OWNER,
  project: 'shop',
  functionName: 'hello',
  version: 3,
  handler: 'src/hello.handler',
  memorySize: 256,
  timeout: 6,
  environment: {} as Record<string, unknown>,
  verification: 'none',
}

export interface TestRoute {
  kind: 'http' | 'httpApi'
  payload: '1.0' | '2.0'
  method: string
  path: string
  pathParameters: Record<string, string>
  catchAll?: boolean
  binaryMediaTypes?: string[]
}

export const routeV2: TestRoute = {
  kind: 'httpApi',
  payload: '2.0',
  method: 'POST',
  path: '/users/{id}',
  pathParameters: { id: 'a%20b' },
}
export const routeV1: TestRoute = {
  kind: 'http',
  payload: '1.0',
  method: 'POST',
  path: '/users/{id}',
  pathParameters: { id: 'a%20b' },
}

export const request = {
  method: 'POST',
  host: 'shop.example',
  sourceAddress: '192.0.2.1',
  path: '/users/a%20b',
  query: '',
  headers: [] as [string, string][],
}

export interface TestInvocation {
  kind?: 'http' | 'event'
  request?: Partial<typeof request>
  route?: TestRoute | null
  body?: string | Uint8Array
}

export type Answer =
  | { call: 'head'; value: { httpStatus: number; headers: [string, string][] } }
  | { call: 'whole'; value: { httpStatus: number; headers: [string, string][]; body: string } }
  | { call: 'chunk' | 'output'; value: string }
  | { call: 'failed'; value: { errorType: string; errorMessage: string; trace: string[] } }
  | { call: 'rejected'; value: { name: string; message: string } }
  | { call: 'end' | 'returned'; value?: undefined }

export interface RunResult {
  answers: Answer[]
  stdout: string
  stderr: string
  signal: string | null
}

const driver = fileURLToPath(new URL('driver.cjs', import.meta.url))

function toOrder({ kind = 'http', body = '', route = routeV2, ...rest }: TestInvocation) {
  const common = {
    kind,
    requestId: REQUEST_ID,
    clockMs: CLOCK_MS,
    deadlineMs: Date.now() + 6000,
    bodyBase64: Buffer.from(body).toString('base64'),
  }
  return kind === 'event' ? common : { ...common, route, request: { ...request, ...rest.request } }
}

/** Runs a CommonJS bundle in a process of its own, one invocation after the other. */
export async function run(
  source: string,
  invocations: TestInvocation | TestInvocation[] = {},
  overrides: Partial<typeof config> = {},
): Promise<RunResult> {
  const child = spawn(process.execPath, [driver], {
    stdio: ['ignore', 'pipe', 'pipe', 'pipe', 'pipe'],
    timeout: 20_000,
  })
  const orders = child.stdio[3] as Writable
  orders.end(
    JSON.stringify({ config: { ...config, ...overrides }, source, invocations: [invocations].flat().map(toOrder) }),
  )
  const ended = new Promise<string | null>((resolve) => child.on('close', (_code, signal) => resolve(signal)))
  const [stdout, stderr, lines] = await Promise.all([
    text(child.stdout!),
    text(child.stderr!),
    text(child.stdio[4] as Readable),
  ])
  const answers = lines
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Answer)
  return { answers, stdout, stderr, signal: await ended }
}

/** The one completion of a run of one invocation. */
export async function complete(
  source: string,
  invocation: TestInvocation = {},
  overrides: Partial<typeof config> = {},
): Promise<Answer> {
  const { answers, stderr } = await run(source, invocation, overrides)
  if (answers.length !== 2 || answers[1]!.call !== 'returned')
    throw new Error(`not one completion: ${JSON.stringify(answers)} ${stderr}`)
  return answers[0]!
}

export const bodyOf = (answer: Answer): string =>
  answer.call === 'whole'
    ? Buffer.from(answer.value.body, 'base64').toString()
    : answer.call === 'output'
      ? answer.value
      : JSON.stringify(answer)
