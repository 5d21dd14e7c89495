/** The calls about tariffs. A tariff belongs to the actor; its direct sub-customers may be given it. */
import { defineMethod } from '../../core/call/method';
import { id, integer, ok, optional, streamed, struct, text } from '../../core/schema/schema';
import { createTariff, deleteTariff, getTariffInfo, listTariffs, updateTariff } from './service';

const name = text(64, "The name; unique among the owner's tariffs.", { format: 'name', digits: true });
const currency = text(3, 'Its currency, ISO 4217; fixed once made.', { format: 'currency' });
const tariff = struct({
  i_tariff: id('Its id.'),
  name: text(64, 'Its name.'),
  currency: text(3, 'Its currency.'),
});

const common = { trusted: 'required' } as const;

export const tariffMethods = [
  defineMethod({
    ...common,
    access: 'write',
    name: 'createTariff',
    summary: 'Makes a tariff of the actor.',
    right: 'tariffs_mgmt:add',
    params: struct({ name, currency }),
    result: struct({ result: ok, i_tariff: id('The id of the new tariff.') }),
    faults: ['conflict'],
    run: createTariff,
  }),
  defineMethod({
    ...common,
    access: 'write',
    name: 'updateTariff',
    summary: 'Renames a tariff of the actor.',
    right: 'tariffs_mgmt:edit',
    params: struct(
      {
        i_tariff: id('The tariff.'),
        name: optional(name),
        currency: optional(text(3, 'Its currency; cannot be changed.', { format: 'currency' })),
      },
      { minProperties: 2 },
    ),
    result: struct({ result: ok }),
    faults: ['not_found', 'conflict'],
    run: updateTariff,
  }),
  defineMethod({
    ...common,
    access: 'write',
    name: 'deleteTariff',
    summary: 'Deletes a tariff of the actor that nobody is billed by.',
    right: 'tariffs_mgmt:delete',
    params: struct({ i_tariff: id('The tariff.') }),
    result: struct({ result: ok }),
    faults: ['not_found', 'conflict'],
    run: deleteTariff,
  }),
  defineMethod({
    ...common,
    access: 'read',
    name: 'getTariffInfo',
    summary: 'Answers a tariff of the actor.',
    right: 'none',
    params: struct({ i_tariff: id('The tariff.') }),
    result: struct({ result: ok, tariff }),
    faults: ['not_found'],
    run: getTariffInfo,
  }),
  defineMethod({
    ...common,
    access: 'read',
    name: 'listTariffs',
    summary: 'Lists the tariffs of the actor.',
    right: 'none',
    params: struct({
      offset: optional(integer('Skip so many.', { minimum: 0 })),
      limit: optional(integer('Answer at most so many; absent: all.', { minimum: 0 })),
      name_pattern: optional(
        text(256, 'Only names like this: % stands for any text, _ for one character.', {
          format: 'like-pattern',
        }),
      ),
    }),
    result: struct({ result: ok, tariffs: streamed(tariff, 'The tariffs, in order of i_tariff.') }),
    faults: [],
    run: listTariffs,
  }),
];
