Feature: Refreshing
  Handling the end of a refresh token begins with handling it well while it lives: one refresh, a new pair, stored before
  it is relied on.

  @REFRESH-01 @must @error
  Rule: A refresh request is correct

    Scenario Outline: <what happens>
      When the story "<story>" is told
      Then the subject refreshes with a correct request (REFRESH-01)

      Examples:
        | story           | what happens           |
        | refreshed_twice | Two refreshes in a row |

  @REFRESH-02 @must @error
  Rule: Both tokens are replaced

    Scenario Outline: <what happens>
      When the story "<story>" is told
      Then the subject uses the new access token, and refreshes with the new refresh token (REFRESH-02)

      Examples:
        | story           | what happens           |
        | refreshed_twice | Two refreshes in a row |

  @REFRESH-03 @must @error
  Rule: Both tokens are persisted before they are relied on

    Scenario Outline: <what happens>
      When the story "<story>" is told
      Then the restarted subject refreshes with the newest refresh token (REFRESH-03)

      Examples:
        | story                | what happens                                |
        | killed_after_refresh | The subject is killed right after a refresh |

  @REFRESH-04 @should @warning
  Rule: Tokens are refreshed in time

    Scenario Outline: <what happens>
      When the story "<story>" is told
      Then the subject sends no call with a token that it knows to be over (REFRESH-04)

      Examples:
        | story | what happens |

  @REFRESH-08 @must @error
  Rule: The access token travels as Bearer in the Authorization header only

    Scenario Outline: <what happens>
      When the story "<story>" is told
      Then the subject sends the access token in no other way (REFRESH-08)

      Examples:
        | story                       | what happens                                         |
        | api_403_and_refresh_refused | The API answers 403, and the refresh is refused      |
        | revoked_in_mid_work         | The user revokes access while a report is on its way |
        | user_revokes_access         | The user revokes access                              |

  @REFRESH-09 @should @warning
  Rule: Tokens are not refreshed without need

    Scenario Outline: <what happens>
      When the story "<story>" is told
      Then the subject refreshes no more often than lifetimes ask for (REFRESH-09)

      Examples:
        | story | what happens |

  @REFRESH-10 @must @error
  Rule: Introspection is no clock

    Scenario Outline: <what happens>
      When the story "<story>" is told
      Then the subject does its work without asking whether its token is good (REFRESH-10)

      Examples:
        | story | what happens |

  @REFRESH-12 @should @warning
  Rule: An attempt is one request

    Scenario Outline: <what happens>
      When the story "<story>" is told
      Then the subject sends each attempt once (REFRESH-12)

      Examples:
        | story | what happens |

  @REFRESH-13 @must @error
  Rule: A healthy connection survives a restart

    Scenario Outline: <what happens>
      When the story "<story>" is told
      Then the subject works again without a new consent (REFRESH-13)

      Examples:
        | story | what happens |
