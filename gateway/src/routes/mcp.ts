import { formatUsdc, isPeerHostError, type PeerHostError, toPeerHostError } from '@peerhost/protocol'
import type { Request, Response } from 'express'
import { receiptHeader } from '../call/deliver.ts'
import { performFree, performPaid } from '../call/perform-call.ts'
import type { Context } from '../context.ts'
import { jsonBody } from '../http/json-body.ts'
import { readBody } from '../http/read-body.ts'
import { errorBody, sendJson } from '../http/send-json.ts'
import { callerOf, sourceAddress } from '../http/source-address.ts'
import { readPaymentObject } from '../pay/authorization.ts'
import { paymentRequired } from '../pay/offer.ts'
import type { Project, ServedFunction } from '../routing/project-catalogue.ts'
import { makeToolCall, TOOL_INPUT, type ToolArguments } from './mcp-call.ts'
import { ownerOf, projectUrl, queryText } from './services.ts'

/** Versions of the Model Context Protocol whose messages below are the same. */
const VERSIONS = ['2025-11-25', '2025-06-18', '2025-03-26']
const MAX_BODY_BYTES = 8 * 1024 * 1024
const PAGE = 200

interface Message {
  jsonrpc: '2.0'
  id?: string | number
  method: string
  params: Record<string, unknown>
}

class RpcError extends Error {
  readonly code: number
  constructor(code: number, message: string) {
    super(message)
    this.code = code
  }
}

interface Tool {
  name: string
  project: Project
  served: ServedFunction
}

/** Names of tools are unique over owners and short enough for clients (64 characters). */
const toolName = ({ owner, name }: Project, functionName: string) =>
  `${`${name}-${functionName}`.slice(0, 55)}-${owner.slice(2, 10)}`

async function listTools(context: Context, req: Request): Promise<Tool[]> {
  const name = queryText(req.query.project)
  const projects = await context.catalogue.list(ownerOf(req.query.owner))
  return projects
    .filter((project) => name === undefined || project.name === name)
    .flatMap((project) =>
      project.functions.map((served) => ({ name: toolName(project, served.definition.name), project, served })),
    )
}

function describeTool({ name, served }: Tool) {
  const { definition, service } = served
  const { price } = service.spec
  const cost = price > 0n ? `Costs ${formatUsdc(price)} USDC a call, paid with x402.` : 'Free.'
  const routes = definition.routes.map(({ method, path }) => `${method} ${path}`)
  return {
    name,
    title: `${service.project}/${definition.name}`,
    description: [
      definition.description ?? `Function ${definition.name} of project ${service.project}.`,
      cost,
      routes.length > 0 ? `Routes: ${routes.join(', ')}.` : '',
    ]
      .filter(Boolean)
      .join(' '),
    inputSchema: {
      ...TOOL_INPUT,
      properties: {
        ...TOOL_INPUT.properties,
        ...(routes.length > 0 && { route: { ...TOOL_INPUT.properties.route, enum: routes } }),
      },
    },
  }
}

/** A function's answer as the content of a tool. */
function content(body: Uint8Array, type: string) {
  const isText = /^text\/|json|xml|javascript|urlencoded/.test(type)
  if (isText || type === '') return [{ type: 'text', text: Buffer.from(body).toString('utf8') }]
  const data = Buffer.from(body).toString('base64')
  if (type.startsWith('image/')) return [{ type: 'image', data, mimeType: type }]
  return [{ type: 'resource', resource: { uri: 'peerhost:response', mimeType: type, blob: data } }]
}

async function callTool(context: Context, req: Request, res: Response, params: Record<string, unknown>) {
  const tools = await listTools(context, req)
  const tool = tools.find(({ name }) => name === params.name)
  if (!tool) throw new RpcError(-32602, `there is no tool ${String(params.name).slice(0, 80)}`)
  const { served, project } = tool
  const { call, route, contentType } = makeToolCall(served, (params.arguments ?? {}) as ToolArguments, {
    host: req.headers.host ?? '',
    sourceAddress: sourceAddress(req, context.isTrustedProxy),
  })
  const meta = (params._meta ?? {}) as Record<string, unknown>
  try {
    if (route) await context.schemas.check(route, contentType, call.body)
    const caller = callerOf(sourceAddress(req, context.isTrustedProxy))
    if (call.maxPrice === 0n) context.freeCalls.take(caller)
    const given = meta['x402/payment']
    const payment = given === undefined ? undefined : readPaymentObject(given)
    const { call: done, paid } =
      call.maxPrice > 0n
        ? await performPaid(context, call, payment, meta['peerhost/retry'] === true, caller)
        : await performFree(context, call)
    const response = done.result.kind === 'http' ? done.result.response : undefined
    const type = response?.headers.find(([name]) => name.toLowerCase() === 'content-type')?.[1] ?? ''
    const result = {
      content: response
        ? content(done.body, type)
        : [{ type: 'text', text: `The function ended with status ${done.receipt.status}` }],
      isError: !response || response.httpStatus >= 400,
      _meta: {
        'peerhost/status': response?.httpStatus ?? 0,
        'peerhost/receipt': { receiptHash: done.receiptHash, worker: done.receipt.worker },
        ...(paid && { 'x402/payment-response': context.payments.response(paid) }),
      },
    }
    res.setHeader('peerhost-receipt', receiptHeader(done))
    if (paid) res.once('finish', () => context.payments.delivered(paid.ref))
    return result
  } catch (cause) {
    const error = toPeerHostError(cause)
    if (error.status !== 402)
      return { content: [{ type: 'text', text: JSON.stringify(errorBody(error)) }], isError: true }
    const url = `${projectUrl(context, project)}/${served.definition.name}`
    const required = paymentRequired(context.payments.offer(served), { url, serviceName: project.name }, error)
    return {
      content: [{ type: 'text', text: JSON.stringify(required) }],
      structuredContent: required,
      isError: true,
    }
  }
}

async function answer(context: Context, req: Request, res: Response, message: Message): Promise<unknown> {
  const { method, params } = message
  switch (method) {
    case 'initialize': {
      const asked = String(params.protocolVersion)
      return {
        protocolVersion: VERSIONS.includes(asked) ? asked : VERSIONS[0],
        capabilities: { tools: { listChanged: false } },
        serverInfo: { name: 'peerhost-gateway', version: '1' },
        instructions: 'Each tool is a function on PeerHost. Priced ones answer with an x402 offer until they are paid.',
      }
    }
    case 'ping':
      return {}
    case 'tools/list': {
      const tools = await listTools(context, req)
      const start = Number(params.cursor ?? 0)
      if (!Number.isSafeInteger(start) || start < 0) throw new RpcError(-32602, 'the cursor is not valid')
      const end = start + PAGE
      return {
        tools: tools.slice(start, end).map(describeTool),
        ...(end < tools.length && { nextCursor: String(end) }),
      }
    }
    case 'tools/call':
      return callTool(context, req, res, params)
    default:
      throw new RpcError(-32601, `there is no method ${method.slice(0, 80)}`)
  }
}

function readMessage(value: unknown): Message {
  const { jsonrpc, id, method, params } = (value ?? {}) as Record<string, unknown>
  const validId = id === undefined || typeof id === 'string' || typeof id === 'number'
  if (jsonrpc !== '2.0' || typeof method !== 'string' || !validId)
    throw new RpcError(-32600, 'it is no JSON-RPC request')
  return { jsonrpc, id: id as Message['id'], method, params: (params ?? {}) as Record<string, unknown> }
}

/**
 * POST /mcp?owner=&project=: the served functions as tools of the Model Context Protocol (streamable HTTP, no sessions).
 * Payment as in x402's MCP transport: `_meta["x402/payment"]`, answered by `_meta["x402/payment-response"]`. The receipt is in the header
 * that other answers have it in.
 */
export function mcpRoute(context: Context) {
  return async (req: Request, res: Response): Promise<void> => {
    let id: string | number | null = null
    const giveBack = context.bodies.take(req, MAX_BODY_BYTES)
    try {
      const body = await readBody(req, MAX_BODY_BYTES)
      let value: unknown
      try {
        value = jsonBody(body)
      } catch {
        throw new RpcError(-32700, 'the body is not JSON')
      }
      const message = readMessage(value)
      if (message.id === undefined) return void res.writeHead(202, { 'content-length': '0' }).end() // a notification
      id = message.id
      sendJson(req, res, 200, { jsonrpc: '2.0', id, result: await answer(context, req, res, message) })
    } catch (error) {
      if (isPeerHostError(error, 'PH_REQUEST_TOO_LARGE')) throw error
      const { code, message } =
        error instanceof RpcError ? error : { code: -32603, message: (toPeerHostError(error) as PeerHostError).message }
      sendJson(req, res, error instanceof RpcError ? 400 : 500, { jsonrpc: '2.0', id, error: { code, message } })
    } finally {
      giveBack()
    }
  }
}
