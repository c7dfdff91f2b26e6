import type { Loose } from './config/types.ts'
import type { Serverless } from './serverless-types.ts'

const anything = {}
const text = { type: 'string' }
/** ajv's strict mode refuses `type: [...]`. */
const numberOrText = { anyOf: [{ type: 'number' }, { type: 'string' }] }

const PROVIDER: Loose = {
  network: { enum: ['local', 'amoy', 'polygon'] },
  runtime: text,
  timeout: numberOrText,
  memorySize: numberOrText,
  environment: { type: 'object' },
  httpApi: { type: 'object' },
  apiGateway: { type: 'object' },
}

const FUNCTION: Loose = {
  handler: text,
  description: anything,
  runtime: text,
  timeout: numberOrText,
  memorySize: numberOrText,
  environment: { type: 'object' },
  package: { type: 'object' },
  httpApi: { type: 'object' },
  price: numberOrText,
  warmup: anything,
  egress: { anyOf: [{ type: 'string' }, { type: 'array', items: text }] },
  verification: text,
  publicHeaders: { type: 'array', items: text },
}

/**
 * Tells Serverless what a serverless.yml of ours may hold. It is lenient on purpose: keys and events that mean something on AWS
 * only would otherwise be fatal under osls 4. What is wrong or ignored `readService` says, in words of our own.
 */
export function defineSchema(serverless: Serverless, provider: string): void {
  const handler = serverless.configSchemaHandler
  handler.defineProvider(provider, { provider: { properties: PROVIDER }, function: { properties: FUNCTION } })

  const { schema } = handler
  schema.additionalProperties = true
  schema.properties.provider!.additionalProperties = true
  const functions = schema.properties.functions as unknown as { patternProperties: Record<string, Loose> }
  for (const definition of Object.values(functions.patternProperties)) {
    definition.additionalProperties = true
    const { events } = definition.properties as { events: { items: { anyOf: unknown[] } } }
    events.items.anyOf.push({ type: 'object', properties: { peerhost: anything } }, { type: 'string' })
  }
}
