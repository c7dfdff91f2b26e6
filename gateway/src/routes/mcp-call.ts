import {
  canonicalHeaders,
  encodeInput,
  keccak256,
  MAX_BODY,
  PeerHostError,
  type Route,
  ZERO_ADDRESS,
} from '@peerhost/protocol'
import type { Call } from '../call/dispatch.ts'
import type { ServedFunction } from '../routing/project-catalogue.ts'
import { resolveCall } from '../routing/resolve-call.ts'

/** What a model gives a tool. */
export interface ToolArguments {
  route?: unknown
  pathParameters?: unknown
  query?: unknown
  headers?: unknown
  body?: unknown
}

const texts = { type: 'object', additionalProperties: { type: 'string' } }

/** JSON Schema of `ToolArguments`. */
export const TOOL_INPUT = {
  type: 'object' as const,
  properties: {
    route: { type: 'string', description: 'Method and path of the route, for example "GET /items/{id}"' },
    pathParameters: { ...texts, description: 'Values for the braces in the route' },
    query: { ...texts, description: 'Query parameters' },
    headers: { ...texts, description: 'Further request headers' },
    body: { description: 'Request body: a text as it is, anything else as JSON' },
  },
  additionalProperties: false,
}

const invalid = (detail: string) => new PeerHostError('PH_REQUEST_INVALID', { detail })

function pairs(value: unknown, what: string): [string, string][] {
  if (value === undefined) return []
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw invalid(`${what} is not an object`)
  return Object.entries(value).map(([name, text]) => [name, String(text)])
}

function checkHeaders(headers: [string, string][]): string[] {
  for (const [name, value] of headers) {
    if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name)) throw invalid(`${name.slice(0, 40)} is not a header name`)
    if (!/^[\t\x20-\x7e\x80-\xff]*$/.test(value))
      throw invalid(`the header ${name.slice(0, 40)} has a forbidden character`)
  }
  return headers.flat()
}

/** The call that a tool's arguments mean: the same canonical request that the HTTP request would make. */
export function makeToolCall(
  served: ServedFunction,
  args: ToolArguments,
  from: { host: string; sourceAddress: string },
): { call: Call; route?: Route; contentType?: string } {
  const { definition, service } = served
  const [first] = definition.routes
  const fallback = first ? `${first.method} ${first.path}` : `POST /${definition.name}`
  const route = args.route === undefined ? fallback : String(args.route)
  const [, asked = '', pattern = ''] = /^([A-Z]+) (\/\S*)$/.exec(route) ?? []
  if (!pattern) throw invalid('route is not "METHOD /path"')
  const given = new Map(pairs(args.pathParameters, 'pathParameters'))
  const path = pattern.replace(/\{([^}+]+)(\+?)\}/g, (_, name: string, greedy: string) => {
    const value = given.get(name)
    if (value === undefined) throw invalid(`the path parameter ${name} is missing`)
    return greedy ? value.split('/').map(encodeURIComponent).join('/') : encodeURIComponent(value)
  })
  const hasBody = args.body !== undefined && args.body !== null
  const method = asked === 'ANY' ? (hasBody ? 'POST' : 'GET') : asked
  const project = {
    owner: service.owner,
    name: service.project,
    functions: [served],
    routes: definition.routes.map((each) => ({ ...each, served })),
  }
  const resolved = resolveCall(project, method, path)
  if (!resolved) throw invalid(`the function has no route ${method} ${path.slice(0, 100)}`)
  const text = hasBody ? (typeof args.body === 'string' ? args.body : JSON.stringify(args.body)) : ''
  const body = new TextEncoder().encode(text)
  if (body.length > MAX_BODY) throw new PeerHostError('PH_REQUEST_TOO_LARGE', { limit: MAX_BODY })
  const headers = checkHeaders(pairs(args.headers, 'headers'))
  const has = (name: string) => headers.some((each, index) => index % 2 === 0 && each.toLowerCase() === name)
  if (hasBody && !has('content-length')) headers.push('content-length', String(body.length))
  if (hasBody && !has('content-type'))
    headers.push('content-type', typeof args.body === 'string' ? 'text/plain; charset=utf-8' : 'application/json')
  const isPublic = definition.verification === 'public'
  const input = encodeInput({
    kind: 'http',
    request: {
      method,
      host: isPublic ? '' : from.host,
      sourceAddress: isPublic ? '' : from.sourceAddress,
      path,
      query: new URLSearchParams(pairs(args.query, 'query')).toString(),
      headers: canonicalHeaders(headers, { isPublic, publicHeaders: definition.publicHeaders }),
      body,
    },
  })
  const contentType =
    headers[headers.findIndex((each, at) => at % 2 === 0 && each.toLowerCase() === 'content-type') + 1]
  const call: Call = {
    served,
    kind: 'http',
    input,
    inputHash: keccak256(input),
    body,
    payer: ZERO_ADDRESS,
    maxPrice: service.spec.price,
  }
  return { call, route: resolved.route, contentType: has('content-type') ? contentType : undefined }
}
