import { parentPort } from 'node:worker_threads'
import { Ajv, type ValidateFunction } from 'ajv'

interface Question {
  id: number
  schema: string
  body: string
}

const MAX_SCHEMAS = 200
const compiled = new Map<string, ValidateFunction | string>()

function validatorOf(schema: string): ValidateFunction | string {
  let validate = compiled.get(schema)
  if (validate === undefined) {
    try {
      const { $schema, $id, id, ...rest } = JSON.parse(schema) // API Gateway's are draft 4, which ajv does not know by name
      validate = new Ajv({ strict: false, validateFormats: false, allErrors: false }).compile(rest)
    } catch (error) {
      validate = `its schema cannot be used: ${error instanceof Error ? error.message : error}`.slice(0, 200)
    }
    if (compiled.size >= MAX_SCHEMAS) compiled.clear()
    compiled.set(schema, validate)
  }
  return validate
}

function judge({ schema, body }: Question): string | undefined {
  const validate = validatorOf(schema)
  if (typeof validate === 'string') return validate
  let value: unknown
  try {
    value = JSON.parse(body)
  } catch {
    return 'it is not JSON'
  }
  if (validate(value)) return undefined
  const { instancePath, message } = validate.errors![0]!
  return `${instancePath || 'the body'} ${message}`.slice(0, 300)
}

parentPort!.on('message', (question: Question) => {
  parentPort!.postMessage({ id: question.id, detail: judge(question) })
})
