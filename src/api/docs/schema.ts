/** Declarations as plain JSON Schema, for OpenAPI. */
import { type Declared, type TSchema, declared } from '../../core/schema/schema';

export type Json = Readonly<Record<string, unknown>>;

/** A declaration as plain JSON Schema, without the keywords that are ours. */
export function schemaOf(schema: TSchema): Json {
  const {
    description,
    nullable,
    minimum,
    maximum,
    minLength,
    maxLength,
    format,
    enum: values,
  } = declared(schema);
  const type = typeOf(schema);
  return {
    description,
    ...type,
    ...(nullable && 'type' in type && { type: [type['type'], 'null'] }),
    ...(minimum !== undefined && { minimum }),
    ...(maximum !== undefined && { maximum }),
    ...(minLength !== undefined && { minLength }),
    ...(maxLength !== undefined && { maxLength }),
    ...(values && { enum: values }),
    ...(format === 'locked' && { readOnly: true }),
  };
}

const plainTypes: Partial<Record<Declared['wire'], Json>> = {
  integer: { type: 'integer' },
  bit: { type: 'integer' },
  flag: { type: 'boolean' },
  double: { type: 'number' },
  money: { type: 'number' },
  text: { type: 'string' },
};

function typeOf(schema: TSchema): Json {
  const { wire, properties, items, format, minItems, maxItems } = declared(schema);
  if (format === 'uuid') return { type: 'string', format };
  // Read as it is written, so that a client may send every digit.
  if (format === 'credit') return { type: ['number', 'string'] };
  if (wire === 'list' && items) {
    const range = {
      ...(minItems !== undefined && { minItems }),
      ...(maxItems !== undefined && { maxItems }),
    };
    return { type: 'array', items: schemaOf(items), ...range };
  }
  if (wire !== 'struct' || !properties) return plainTypes[wire] ?? {};
  const required = (schema['required'] as string[] | undefined) ?? [];
  return {
    type: 'object',
    properties: Object.fromEntries(
      Object.entries(properties).map(([name, member]) => [name, schemaOf(member)]),
    ),
    ...(required.length > 0 && { required }),
    additionalProperties: false,
  };
}
