//! Whatever a client sends as a value stays a value.
//!
//! Every filter field of every entity gets texts that would do harm as SQL; the answer is a page or a
//! refusal by this crate, never an error of the database, and all rows are still there.

use ringflow_export::{Entity, Filter, Op, Page, PageSpec, PageStart, Query, QueryError};

use super::search::{both, op, text, total};

#[test]
fn hostile_texts_are_values_in_every_filter() {
    let hostile = [
        "'; DROP TABLE process_instance; --",
        "' OR '1'='1",
        "\\'; SELECT pg_sleep(9); --",
        "\"; DELETE FROM job; --",
        "$1 ?1 %s {roots} :x",
        "a\0b",
        "*?[]%_\\",
    ];
    both(async |queries, world| {
        for entity in Entity::ALL {
            let before = total(queries, *entity, Filter::All(vec![])).await;
            for field in entity.filter_fields() {
                for value in hostile {
                    let rare = [Op::Eq, Op::Like, Op::In, Op::Neq, Op::NotIn, Op::Gt];
                    let operators = if value == hostile[0] {
                        &rare[..]
                    } else {
                        &rare[..2]
                    };
                    for &operator in operators {
                        let query = Query {
                            filter: op(field, operator, vec![text(value)]),
                            page: PageSpec {
                                limit: 1,
                                start: PageStart::From(0),
                            },
                            ..Query::of(*entity)
                        };
                        match queries.search(&query).await {
                            Ok(page) => {
                                let positive = matches!(operator, Op::Eq | Op::In);
                                assert!(!positive || page.total == 0, "{entity:?} {field} {value}");
                            }
                            // Refused as a value or an operator of the field, never by the database.
                            Err(
                                QueryError::InvalidField { .. } | QueryError::InvalidValue { .. },
                            ) => {}
                            Err(other) => panic!("{entity:?} {field} {value:?}: {other}"),
                        }
                    }
                }
            }
            assert_eq!(total(queries, *entity, Filter::All(vec![])).await, before);
        }
        for value in hostile {
            let filter = Filter::Variable {
                name: value.into(),
                op: Op::Eq,
                values: vec![text(value)],
                local: false,
            };
            assert!(matches!(
                queries
                    .search(&Query {
                        filter,
                        ..Query::of(Entity::ProcessInstance)
                    })
                    .await,
                Ok(Page { total: 0, .. }) | Err(QueryError::InvalidValue { .. })
            ));
        }
        assert!(
            queries
                .get(Entity::UserTask, world.task.0)
                .await
                .unwrap()
                .is_some()
        );
    });
}
