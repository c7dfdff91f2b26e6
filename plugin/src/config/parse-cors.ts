import type { Cors } from '@peerhost/protocol'
import { isLoose, textList } from './types.ts'

/** What Serverless allows with `cors: true`. */
const DEFAULT_HEADERS = [
  'Content-Type',
  'X-Amz-Date',
  'Authorization',
  'X-Api-Key',
  'X-Amz-Security-Token',
  'X-Amz-User-Agent',
  'X-Amzn-Trace-Id',
]

const seconds = (value: unknown) => (Number.isInteger(Number(value)) && Number(value) >= 0 ? Number(value) : undefined)

/** `cors` of an `http` event: `true`, or an object with origin(s), headers, methods, allowCredentials, maxAge. */
export function parseHttpCors(value: unknown, methods: string[]): Cors | undefined {
  if (value === true) return { origins: ['*'], headers: DEFAULT_HEADERS, methods }
  if (!isLoose(value)) return undefined
  const origins = textList(value.origins ?? value.origin)
  const headers = textList(value.headers)
  const given = textList(value.methods)
  return {
    origins: origins.length > 0 ? origins : ['*'],
    headers: headers.length > 0 ? headers : DEFAULT_HEADERS,
    methods: given.length > 0 ? given : methods,
    allowCredentials: value.allowCredentials === true || undefined,
    maxAge: value.maxAge === undefined ? undefined : seconds(value.maxAge),
  }
}

/** `provider.httpApi.cors`: `true`, or an object with allowedOrigins, allowedHeaders, allowedMethods, exposedResponseHeaders, … */
export function parseHttpApiCors(value: unknown, methods: string[]): Cors | undefined {
  if (value === true) return { origins: ['*'], headers: DEFAULT_HEADERS, methods }
  if (!isLoose(value)) return undefined
  const origins = textList(value.allowedOrigins)
  const headers = textList(value.allowedHeaders)
  const given = textList(value.allowedMethods)
  const exposed = textList(value.exposedResponseHeaders)
  return {
    origins: origins.length > 0 ? origins : ['*'],
    headers: headers.length > 0 ? headers : DEFAULT_HEADERS,
    methods: given.length > 0 ? given : methods,
    exposedHeaders: exposed.length > 0 ? exposed : undefined,
    allowCredentials: value.allowCredentials === true || undefined,
    maxAge: value.maxAge === undefined ? undefined : seconds(value.maxAge),
  }
}
